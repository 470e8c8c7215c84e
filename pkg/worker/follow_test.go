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

func follow(t *testing.T, b *bed, c clock.Clock) *worker.ConfigWatcher {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	f, err := worker.WatchConfig(ctx, b.Config, types.NamespacedName{Namespace: b.ns, Name: "main"}, c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// other waits for another configuration than c.
func other(t *testing.T, f *worker.ConfigWatcher, c worker.Config) worker.Config {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), cluster.Patience)
	defer cancel()
	next, err := f.Next(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// quiet reports whether there is no other configuration than c.
func quiet(t *testing.T, f *worker.ConfigWatcher, c worker.Config) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := f.Next(ctx, c)
	return err != nil
}

func TestFollow(t *testing.T) {
	b := start(t)
	f := follow(t, b, clock.RealClock{})
	ts := b.service(t)
	b.status(t, ts, func(s *v1alpha1.TriggerServiceStatus) { s.ObservedGeneration = 1 })
	first := other(t, f, worker.Config{})
	if first.Service.UID != ts.UID || first.Actions != nil || first.Reject(0, "main-0") != "" {
		t.Errorf("got %+v", first)
	}

	b.status(t, ts, func(s *v1alpha1.TriggerServiceStatus) { s.Working, s.Acted = "1/1", 5 })
	if !quiet(t, f, first) {
		t.Error("a change of the status is another configuration")
	}

	d := &corev1alpha1.Definition{}
	d.Namespace, d.Name = b.ns, trigger.ActionsName("main")
	d.Spec = corev1alpha1.DefinitionSpec{Type: corev1alpha1.TriggerActionsInForce, Templates: map[string]string{"own": "x: 1"}}
	if err := b.client.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	second := other(t, f, first)
	if diff := cmp.Diff(map[string]string{"own": "x: 1"}, second.Actions); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}

	b.status(t, ts, func(s *v1alpha1.TriggerServiceStatus) { s.Refused = []string{"main-0"} })
	third := other(t, f, second)
	if third.Reject(0, "main-0") == "" || third.Reject(1, "main-1") != "" {
		t.Errorf("refused: %v", third.Service.Status.Refused)
	}

	if err := b.client.Delete(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	fourth := other(t, f, third)
	if fourth.Actions != nil {
		t.Errorf("actions %v, want none", fourth.Actions)
	}
	if err := b.client.Delete(t.Context(), ts); err != nil {
		t.Fatal(err)
	}
	if last := other(t, f, fourth); last.Service != nil {
		t.Errorf("TriggerService %+v, want none", last.Service)
	}
}

// TestFollowWaitsForTheController: a change that was not checked is taken after a
// while, and not before.
func TestFollowWaitsForTheController(t *testing.T) {
	b := start(t)
	c := clocktesting.NewFakeClock(time.Now())
	f := follow(t, b, c)
	ts := b.service(t)
	got := make(chan worker.Config, 1)
	go func() {
		if config, err := f.Next(t.Context(), worker.Config{}); err == nil {
			got <- config
		}
	}()
	cluster.Eventually(t, "the change", func(context.Context) error {
		if !c.HasWaiters() {
			return fmt.Errorf("nobody waits")
		}
		return nil
	})
	c.Step(50 * time.Second)
	select {
	case config := <-got:
		t.Fatalf("taken before it was checked: %+v", config)
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
			return fmt.Errorf("not taken")
		}
	})
}
