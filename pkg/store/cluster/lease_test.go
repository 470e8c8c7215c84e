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
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testclock "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/cluster"
	testcluster "github.com/kubevela/kube-trigger/test/cluster"
)

func TestOpen_SecondWriter(t *testing.T) {
	e := newEnv(t)
	first := e.open(t, "first")
	// The clock of the second writer has a waiter while it waits for the Lease.
	waiting := e.options("second")
	clock := testclock.NewFakeClock(e.clock.Now())
	waiting.Clock = clock
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := cluster.Open(ctx, waiting)
		ended <- err
	}()
	testcluster.Eventually(t, "the wait for the Lease", func(context.Context) error {
		if !clock.HasWaiters() {
			return errors.New("no timer")
		}
		return nil
	})
	cancel()
	if err := testcluster.Receive(t, "the end of Open", ended); err == nil || !strings.Contains(err.Error(), `"first"`) || !errors.Is(err, context.Canceled) {
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

	opened := make(chan *cluster.Store, 1)
	go func() {
		s, err := cluster.Open(ctx, e.options("second"))
		if err != nil {
			t.Error(err)
		}
		opened <- s
	}()
	testcluster.Eventually(t, "the next holder of the Lease", func(context.Context) error {
		if holder := *e.lease(t).Spec.HolderIdentity; holder != "second" {
			if e.clock.HasWaiters() {
				e.clock.Step(time.Second)
			}
			return fmt.Errorf("held by %q", holder)
		}
		return nil
	})
	second := testcluster.Receive(t, "the open store", opened)
	if second == nil {
		t.FailNow()
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
	for range 3 {
		lease := e.lease(t)
		lease.Labels["edited"] = strconv.Itoa(e.clock.Now().Second())
		_, err := leases.Update(ctx, lease, metav1.UpdateOptions{})
		must(t, err)
		testcluster.Eventually(t, "a renewal", func(context.Context) error {
			e.clock.Step(time.Second)
			if e.lease(t).Spec.RenewTime.Equal(lease.Spec.RenewTime) {
				return errors.New("not renewed")
			}
			return nil
		})
	}
	if lost(s) {
		t.Error("Lost is closed")
	}
	must(t, leases.Delete(ctx, "notify-store", metav1.DeleteOptions{}))
	testcluster.Eventually(t, "the loss after the deletion of the Lease", func(context.Context) error {
		e.clock.Step(time.Second)
		if !lost(s) {
			return errors.New("not lost")
		}
		return nil
	})
	must(t, s.Close())
	must(t, e.open(t, "second").Close())
}
