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

package cluster_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testclock "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/cluster"
)

func TestSecondWriterWaits(t *testing.T) {
	b := newEnv(t)
	first := b.open(t, "first")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := cluster.Open(ctx, b.options("second")); err == nil || !strings.Contains(err.Error(), `"first"`) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that first has it open", err)
	}
	must(t, first.Save(t.Context(), "pods", inventory(0, 1, 1)))
	if lost(first) {
		t.Error("the first lost the store")
	}
	must(t, first.Close())
	if err := first.Save(t.Context(), "pods", inventory(0, 1, 2)); err == nil || errors.Is(err, store.ErrFenced) {
		t.Errorf("after close: got %v, want that it is closed", err)
	}
	must(t, first.Close())
	second := b.open(t, "second")
	must(t, second.Close())
}

// TestLapsedWriter lets the Lease of a writer lapse that does not know, and the
// other way round.
func TestLapsedWriter(t *testing.T) {
	b := newEnv(t)
	ctx := t.Context()
	// Its clock stands still, as that of a process that is stopped.
	stopped := b.options("first")
	stopped.Clock = testclock.NewFakeClock(time.Now())
	first, err := cluster.Open(ctx, stopped)
	must(t, err)
	must(t, first.Save(ctx, "pods", inventory(0, 20_000, 1)))
	must(t, first.Save(ctx, "pods", inventory(0, 10, 2)))
	_, err = first.Load(ctx, "pods")
	must(t, err)
	must(t, first.Record(ctx, store.Run{EventID: "1"}))

	opened := make(chan *cluster.Store)
	go func() {
		s, err := cluster.Open(ctx, b.options("second"))
		if err != nil {
			t.Error(err)
		}
		opened <- s
	}()
	var second *cluster.Store
	for deadline := time.Now().Add(time.Minute); second == nil; {
		if time.Now().After(deadline) {
			t.Fatal("the lease does not lapse")
		}
		b.clock.Step(time.Second)
		select {
		case second = <-opened:
		case <-time.After(5 * time.Millisecond):
		}
	}
	r, err := second.Load(ctx, "pods")
	must(t, err)
	if r.Position != "2" || len(r.Inventory) != 20_000 {
		t.Fatalf("at %s with %d objects", r.Position, len(r.Inventory))
	}
	_, err = second.Runs(ctx)
	must(t, err)

	ev := event.Event{Source: "webhook", ID: "1"}
	for name, err := range map[string]error{
		"recent":  first.Save(ctx, "pods", inventory(0, 10, 3)),
		"shards":  first.Save(ctx, "pods", inventory(0, 20_000, 4)),
		"history": first.Record(ctx, store.Run{EventID: "2"}),
		"accept":  first.Enqueue(ctx, ev),
		"release": first.Ack(ctx, "webhook", "1"),
		"forget":  first.Delete(ctx, "pods"),
	} {
		if !errors.Is(err, store.ErrFenced) {
			t.Errorf("%s: got %v, want fenced", name, err)
		}
	}
	if !lost(first) || lost(second) {
		t.Errorf("first lost: %t, second lost: %t", lost(first), lost(second))
	}
	must(t, first.Close())
	must(t, second.Save(ctx, "pods", inventory(0, 10, 5)))
	again, err := second.Load(ctx, "pods")
	must(t, err)
	if again.Position != "5" || len(again.Inventory) != 20_000 {
		t.Errorf("at %s with %d objects", again.Position, len(again.Inventory))
	}
	must(t, second.Close())
}

// TestStaleWriteIsShutOut: each kind of write, as the first after the takeover.
func TestStaleWriteIsShutOut(t *testing.T) {
	for name, write := range map[string]func(ctx context.Context, s *cluster.Store) error{
		"recent":  func(ctx context.Context, s *cluster.Store) error { return s.Save(ctx, "pods", inventory(0, 10, 3)) },
		"shards":  func(ctx context.Context, s *cluster.Store) error { return s.Save(ctx, "pods", inventory(0, 8_000, 4)) },
		"history": func(ctx context.Context, s *cluster.Store) error { return s.Record(ctx, store.Run{EventID: "2"}) },
		"accept": func(ctx context.Context, s *cluster.Store) error {
			return s.Enqueue(ctx, event.Event{Source: "webhook", ID: "1"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newEnv(t)
			ctx := t.Context()
			first := b.open(t, "same")
			must(t, first.Save(ctx, "pods", inventory(0, 8_000, 1)))
			must(t, first.Record(ctx, store.Run{EventID: "1"}))
			second := b.open(t, "same")
			want, err := second.Load(ctx, "pods")
			must(t, err)
			runs, err := second.Runs(ctx)
			must(t, err)
			if lost(first) {
				t.Fatal("the first knows already")
			}
			if err := write(ctx, first); !errors.Is(err, store.ErrFenced) {
				t.Errorf("got %v, want fenced", err)
			}
			if !lost(first) {
				t.Error("the first does not know")
			}
			got, err := second.Load(ctx, "pods")
			must(t, err)
			if got.Position != want.Position || len(got.Inventory) != len(want.Inventory) {
				t.Errorf("at %s with %d objects, want %s with %d", got.Position, len(got.Inventory), want.Position, len(want.Inventory))
			}
			if again, err := second.Runs(ctx); err != nil || len(again) != len(runs) {
				t.Errorf("%d runs, %v; want %d", len(again), err, len(runs))
			}
			must(t, first.Close())
			must(t, second.Close())
		})
	}
}

// TestRenewal: the Lease outlives its duration, and a strange edit of it.
func TestRenewal(t *testing.T) {
	b := newEnv(t)
	ctx := t.Context()
	s := b.open(t, "first")
	leases := b.client.CoordinationV1().Leases(b.namespace)
	renewed := func() *coordinationv1.Lease {
		lease, err := leases.Get(ctx, "notify-store", metav1.GetOptions{})
		must(t, err)
		return lease
	}
	for range 3 {
		lease := renewed()
		lease.Labels["edited"] = strconv.Itoa(b.clock.Now().Second())
		_, err := leases.Update(ctx, lease, metav1.UpdateOptions{})
		must(t, err)
		for deadline := time.Now().Add(time.Minute); renewed().Spec.RenewTime.Equal(lease.Spec.RenewTime); {
			if time.Now().After(deadline) {
				t.Fatal("not renewed")
			}
			b.clock.Step(time.Second)
			time.Sleep(5 * time.Millisecond)
		}
	}
	if lost(s) {
		t.Error("lost")
	}
	must(t, leases.Delete(ctx, "notify-store", metav1.DeleteOptions{}))
	for deadline := time.Now().Add(time.Minute); !lost(s); {
		if time.Now().After(deadline) {
			t.Fatal("not lost with its lease")
		}
		b.clock.Step(time.Second)
		time.Sleep(5 * time.Millisecond)
	}
	must(t, s.Close())
	must(t, b.open(t, "second").Close())
}
