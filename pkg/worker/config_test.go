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
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/pkg/worker"
	"github.com/kubevela/kube-trigger/test/cluster"
)

func watchConfig(t *testing.T, e *env, c clock.Clock) *worker.ConfigWatcher {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	w, err := worker.WatchConfig(ctx, e.Config, types.NamespacedName{Namespace: e.ns, Name: "main"}, c)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// next waits for a configuration that differs from c.
func next(t *testing.T, w *worker.ConfigWatcher, c worker.Config) worker.Config {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), cluster.WaitTimeout)
	defer cancel()
	config, err := w.Next(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// unchanged reports whether the configuration equals c for a second.
func unchanged(t *testing.T, w *worker.ConfigWatcher, c worker.Config) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := w.Next(ctx, c)
	return err != nil
}

func TestConfigWatcher_Next(t *testing.T) {
	e := newEnv(t)
	w := watchConfig(t, e, clock.RealClock{})
	ts := e.createService(t)
	e.patchStatus(t, ts, func(s *v1alpha1.TriggerServiceStatus) { s.ObservedGeneration = 1 })
	first := next(t, w, worker.Config{})
	if first.Service.UID != ts.UID || first.Actions != nil || first.Reject(0, "main-0", "") != "" {
		t.Errorf("got %+v", first)
	}

	e.patchStatus(t, ts, func(s *v1alpha1.TriggerServiceStatus) { s.ReadyTriggers, s.Succeeded = "1/1", 5 })
	if !unchanged(t, w, first) {
		t.Error("a status change was returned as a new configuration")
	}

	d := &corev1alpha1.Definition{}
	d.Namespace, d.Name = e.ns, trigger.ActionsName("main")
	d.Spec = corev1alpha1.DefinitionSpec{Type: corev1alpha1.TriggerActionsInForce, Templates: map[string]string{"own": "x: 1"}}
	if err := e.client.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	second := next(t, w, first)
	if diff := cmp.Diff(map[string]string{"own": "x: 1"}, second.Actions); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}

	e.patchStatus(t, ts, func(s *v1alpha1.TriggerServiceStatus) { s.RejectedTriggers = []string{"main-0"} })
	third := next(t, w, second)
	if third.Reject(0, "main-0", "") == "" || third.Reject(1, "main-1", "") != "" {
		t.Errorf("rejected: %v", third.Service.Status.RejectedTriggers)
	}

	if err := e.client.Delete(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	fourth := next(t, w, third)
	if fourth.Actions != nil {
		t.Errorf("actions %v, want none", fourth.Actions)
	}
	if err := e.client.Delete(t.Context(), ts); err != nil {
		t.Fatal(err)
	}
	if last := next(t, w, fourth); last.Service != nil {
		t.Errorf("TriggerService %+v, want none", last.Service)
	}
}

// TestConfigWatcher_ValidationTimeout: a change that the controller has not validated
// is returned after the timeout, and not before.
func TestConfigWatcher_ValidationTimeout(t *testing.T) {
	e := newEnv(t)
	c := clocktesting.NewFakeClock(time.Now())
	w := watchConfig(t, e, c)
	ts := e.createService(t)
	got := make(chan worker.Config, 1)
	go func() {
		if config, err := w.Next(t.Context(), worker.Config{}); err == nil {
			got <- config
		}
	}()
	cluster.Eventually(t, "the change", func(context.Context) error {
		if !c.HasWaiters() {
			return fmt.Errorf("no waiter on the clock")
		}
		return nil
	})
	c.Step(50 * time.Second)
	select {
	case config := <-got:
		t.Fatalf("returned before it was validated: %+v", config)
	default:
	}
	cluster.Eventually(t, "the change", func(context.Context) error {
		c.Step(time.Second)
		select {
		case config := <-got:
			if config.Service.UID != ts.UID {
				t.Errorf("got %+v", config)
			}
			return nil
		default:
			return fmt.Errorf("not returned")
		}
	})
}
