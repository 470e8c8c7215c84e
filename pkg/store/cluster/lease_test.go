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

func TestOpen_SecondWriter(t *testing.T) {
	e := newEnv(t)
	first := e.open(t, "first")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := cluster.Open(ctx, e.options("second")); err == nil || !strings.Contains(err.Error(), `"first"`) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want held by first", err)
	}
	must(t, first.Checkpoints().Save(t.Context(), "pods", inventory(0, 1, 1)))
	if lost(first) {
		t.Error("the first writer lost the store")
	}
	must(t, first.Close())
	if err := first.Checkpoints().Save(t.Context(), "pods", inventory(0, 1, 2)); err == nil || errors.Is(err, store.ErrFenced) {
		t.Errorf("after Close: got %v, want closed", err)
	}
	must(t, first.Close())
	second := e.open(t, "second")
	must(t, second.Close())
}

// TestStore_ExpiredLease lets the Lease of a stopped writer expire. After another writer
// has opened the store, all writes of the first fail.
func TestStore_ExpiredLease(t *testing.T) {
	e := newEnv(t)
	ctx := t.Context()
	// The clock of a stopped process does not advance.
	stopped := e.options("first")
	stopped.Clock = testclock.NewFakeClock(time.Now())
	first, err := cluster.Open(ctx, stopped)
	must(t, err)
	must(t, first.Checkpoints().Save(ctx, "pods", inventory(0, 20_000, 1)))
	must(t, first.Checkpoints().Save(ctx, "pods", inventory(0, 10, 2)))
	_, err = first.Checkpoints().Load(ctx, "pods")
	must(t, err)

	opened := make(chan *cluster.Store)
	go func() {
		s, err := cluster.Open(ctx, e.options("second"))
		if err != nil {
			t.Error(err)
		}
		opened <- s
	}()
	var second *cluster.Store
	for deadline := time.Now().Add(time.Minute); second == nil; {
		if time.Now().After(deadline) {
			t.Fatal("the lease does not expire")
		}
		e.clock.Step(time.Second)
		select {
		case second = <-opened:
		case <-time.After(5 * time.Millisecond):
		}
	}
	c, err := second.Checkpoints().Load(ctx, "pods")
	must(t, err)
	if c.Cursor != "2" || len(c.Values) != 20_000 {
		t.Fatalf("position %s with %d objects", c.Cursor, len(c.Values))
	}

	ev := event.Event{Source: "webhook", ID: "1"}
	for name, err := range map[string]error{
		"recent":      first.Checkpoints().Save(ctx, "pods", inventory(0, 10, 3)),
		"shards":      first.Checkpoints().Save(ctx, "pods", inventory(0, 20_000, 4)),
		"dead letter": errOf(first.DeadLetters().Put(ctx, store.DeadLetter{Event: ev})),
		"enqueue":     first.Queue().Enqueue(ctx, ev),
		"ack":         first.Queue().Ack(ctx, "webhook", "1"),
		"delete":      first.Checkpoints().Delete(ctx, "pods"),
	} {
		if !errors.Is(err, store.ErrFenced) {
			t.Errorf("%s: got %v, want fenced", name, err)
		}
	}
	if !lost(first) || lost(second) {
		t.Errorf("first lost: %t, second lost: %t", lost(first), lost(second))
	}
	must(t, first.Close())
	must(t, second.Checkpoints().Save(ctx, "pods", inventory(0, 10, 5)))
	again, err := second.Checkpoints().Load(ctx, "pods")
	must(t, err)
	if again.Cursor != "5" || len(again.Values) != 20_000 {
		t.Errorf("position %s with %d objects", again.Cursor, len(again.Values))
	}
	must(t, second.Close())
}

// TestStore_StaleWrite makes each kind of write with a writer that does not know yet that
// another one has opened the store.
func TestStore_StaleWrite(t *testing.T) {
	for name, write := range map[string]func(ctx context.Context, s *cluster.Store) error{
		"recent": func(ctx context.Context, s *cluster.Store) error {
			return s.Checkpoints().Save(ctx, "pods", inventory(0, 10, 3))
		},
		"shards": func(ctx context.Context, s *cluster.Store) error {
			return s.Checkpoints().Save(ctx, "pods", inventory(0, 8_000, 4))
		},
		"dropped": func(ctx context.Context, s *cluster.Store) error {
			return errOf(s.DeadLetters().Put(ctx, store.DeadLetter{Event: event.Event{Source: "x", ID: "4"}}))
		},
		"enqueue": func(ctx context.Context, s *cluster.Store) error {
			return s.Queue().Enqueue(ctx, event.Event{Source: "webhook", ID: "1"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			ctx := t.Context()
			o := e.options("same")
			o.Limits.DeadLetters = 1
			first := open(t, o)
			must(t, first.Checkpoints().Save(ctx, "pods", inventory(0, 8_000, 1)))
			put(t, first, 1)
			put(t, first, 2)
			second := open(t, o)
			want, err := second.Checkpoints().Load(ctx, "pods")
			must(t, err)
			put(t, second, 3)
			if lost(first) {
				t.Fatal("the first writer knows already")
			}
			if err := write(ctx, first); !errors.Is(err, store.ErrFenced) {
				t.Errorf("got %v, want fenced", err)
			}
			if !lost(first) {
				t.Error("Lost of the first writer is open")
			}
			got, err := second.Checkpoints().Load(ctx, "pods")
			must(t, err)
			if got.Cursor != want.Cursor || len(got.Values) != len(want.Values) {
				t.Errorf("position %s with %d objects, want %s with %d", got.Cursor, len(got.Values), want.Cursor, len(want.Values))
			}
			if n := dropped(t, second); n != 2 {
				t.Errorf("%d dropped, want 2", n)
			}
			must(t, first.Close())
			must(t, second.Close())
		})
	}
}

func errOf[T any](_ T, err error) error { return err }

// TestStore_Renewal: the Lease is renewed, also after a user has changed it. The store is
// lost when the Lease is deleted.
func TestStore_Renewal(t *testing.T) {
	e := newEnv(t)
	ctx := t.Context()
	s := e.open(t, "first")
	leases := e.client.CoordinationV1().Leases(e.namespace)
	getLease := func() *coordinationv1.Lease {
		lease, err := leases.Get(ctx, "notify-store", metav1.GetOptions{})
		must(t, err)
		return lease
	}
	for range 3 {
		lease := getLease()
		lease.Labels["edited"] = strconv.Itoa(e.clock.Now().Second())
		_, err := leases.Update(ctx, lease, metav1.UpdateOptions{})
		must(t, err)
		for deadline := time.Now().Add(time.Minute); getLease().Spec.RenewTime.Equal(lease.Spec.RenewTime); {
			if time.Now().After(deadline) {
				t.Fatal("not renewed")
			}
			e.clock.Step(time.Second)
			time.Sleep(5 * time.Millisecond)
		}
	}
	if lost(s) {
		t.Error("Lost is closed")
	}
	must(t, leases.Delete(ctx, "notify-store", metav1.DeleteOptions{}))
	for deadline := time.Now().Add(time.Minute); !lost(s); {
		if time.Now().After(deadline) {
			t.Fatal("not lost after the deletion of the lease")
		}
		e.clock.Step(time.Second)
		time.Sleep(5 * time.Millisecond)
	}
	must(t, s.Close())
	must(t, e.open(t, "second").Close())
}
