/*
Copyright 2026 The KubeVela Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/worker"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// reporterEnv is an env with a running Reporter and a fake clock.
type reporterEnv struct {
	*env
	status *worker.Status
	clock  *clocktesting.FakeClock
	events *record.FakeRecorder
}

func startReporter(t *testing.T, e *env, ts *v1alpha1.TriggerService) *reporterEnv {
	t.Helper()
	r := &reporterEnv{env: e, events: record.NewFakeRecorder(100)}
	r.status, r.clock = newStatus(ts, compiled("t"))
	reporter := worker.Reporter{Client: e.client, Events: r.events, Clock: r.clock}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		reporter.Run(ctx, ts, r.status)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return r
}

// waitForStatus steps the clock until check accepts the status.
func (r *reporterEnv) waitForStatus(t *testing.T, check func(*v1alpha1.TriggerServiceStatus) error) *v1alpha1.TriggerService {
	t.Helper()
	ts := &v1alpha1.TriggerService{}
	cluster.Eventually(t, "status", func(ctx context.Context) error {
		if r.clock.HasWaiters() {
			r.clock.Step(time.Second)
		}
		if err := r.client.Get(ctx, types.NamespacedName{Namespace: r.ns, Name: "main"}, ts); err != nil {
			return err
		}
		return check(&ts.Status)
	})
	return ts
}

func TestReporter_Run(t *testing.T) {
	e := newEnv(t)
	ts := e.createService(t)
	e.patchStatus(t, ts, func(s *v1alpha1.TriggerServiceStatus) {
		s.ObservedGeneration, s.RejectedTriggers = 1, []string{"x"}
		s.Triggers = []v1alpha1.TriggerStatus{{Name: "gone", State: v1alpha1.TriggerRunning}, {Name: "t", State: v1alpha1.TriggerRunning, Succeeded: 4}}
	})
	r := startReporter(t, e, ts)
	r.status.ObserveWatch("key", nil)
	r.status.Observe(decision("t", engine.Succeeded, 1, nil))
	updated := r.waitForStatus(t, func(s *v1alpha1.TriggerServiceStatus) error {
		if s.Succeeded != 5 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	s := updated.Status
	if len(s.Triggers) != 1 || s.ReadyTriggers != "1/1" || s.WorkerGeneration != 1 || s.ObservedGeneration != 1 || len(s.RejectedTriggers) != 1 {
		t.Errorf("status %+v", s)
	}

	version := updated.ResourceVersion
	for range 10 {
		cluster.Eventually(t, "time", func(context.Context) error {
			if !r.clock.HasWaiters() {
				return errors.New("no waiter on the clock")
			}
			r.clock.Step(time.Minute)
			return nil
		})
	}
	if updated = r.waitForStatus(t, func(*v1alpha1.TriggerServiceStatus) error { return nil }); updated.ResourceVersion != version {
		t.Errorf("resourceVersion %s, want %s: status is unchanged", updated.ResourceVersion, version)
	}

	failed := decision("t", engine.DeadLettered, 1, errors.New("failed"))
	for n := range int64(3) {
		r.status.Observe(failed)
		r.waitForStatus(t, func(s *v1alpha1.TriggerServiceStatus) error {
			if s.DeadLetters != n+1 || s.Triggers[0].LastError != "failed" {
				return fmt.Errorf("%+v", s)
			}
			return nil
		})
	}
	if n := len(r.events.Events); n != 1 {
		t.Fatalf("%d Kubernetes events for 3 dead letters within the interval, want 1", n)
	}
	if e := <-r.events.Events; !strings.Contains(e, "Warning DeadLetter") || !strings.Contains(e, `trigger "t": new dead letters: 1; last error: failed`) {
		t.Errorf("event %q", e)
	}
}

// TestReporter_OtherUID: a later TriggerService of the same name is not written.
func TestReporter_OtherUID(t *testing.T) {
	e := newEnv(t)
	old := e.createService(t)
	if err := e.client.Delete(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	ts := e.createService(t)
	r := startReporter(t, e, old)
	r.status.ObserveWatch("key", nil)
	for range 5 {
		cluster.Eventually(t, "time", func(context.Context) error {
			if !r.clock.HasWaiters() {
				return errors.New("no waiter on the clock")
			}
			r.clock.Step(time.Minute)
			return nil
		})
	}
	current := &v1alpha1.TriggerService{}
	if err := e.client.Get(t.Context(), client.ObjectKeyFromObject(ts), current); err != nil {
		t.Fatal(err)
	}
	if current.ResourceVersion != ts.ResourceVersion {
		t.Errorf("status %+v was written to another TriggerService", current.Status)
	}
}
