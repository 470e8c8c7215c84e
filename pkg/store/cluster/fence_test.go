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

// TestStore_ExpiredLease lets the Lease of a stopped process expire. After another process
// has opened the store, all writes of the first fail.
func TestStore_ExpiredLease(t *testing.T) {
	e := newEnv(t)
	ctx := t.Context()
	first := e.open(t, "first") // its clock does not advance
	must(t, first.Checkpoints().Save(ctx, "pods", inventory(0, 20_000, 1)))
	must(t, first.Checkpoints().Save(ctx, "pods", inventory(0, 10, 2)))
	_, err := first.Checkpoints().Load(ctx, "pods")
	must(t, err)

	waiting := startStandby(ctx, e.electionOptions("second"))
	waiting.step(t, cluster.DefaultLeaseDuration)
	leader := testcluster.Receive(t, "the second leader", waiting.elected)
	s, err := cluster.Open(ctx, e.options(leader))
	must(t, err)
	second := process{s, leader}
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
	for name, write := range map[string]func(ctx context.Context, s process) error{
		"recent": func(ctx context.Context, s process) error {
			return s.Checkpoints().Save(ctx, "pods", inventory(0, 10, 3))
		},
		"shards": func(ctx context.Context, s process) error {
			return s.Checkpoints().Save(ctx, "pods", inventory(0, 8_000, 4))
		},
		"dropped": func(ctx context.Context, s process) error {
			return errOf(s.DeadLetters().Put(ctx, store.DeadLetter{Event: event.Event{Source: "x", ID: "4"}}))
		},
		"enqueue": func(ctx context.Context, s process) error {
			return s.Queue().Enqueue(ctx, event.Event{Source: "webhook", ID: "1"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			ctx := t.Context()
			first := e.open(t, "same", oneDeadLetter)
			must(t, first.Checkpoints().Save(ctx, "pods", inventory(0, 8_000, 1)))
			put(t, first, 1)
			put(t, first, 2)
			second := e.open(t, "same", oneDeadLetter)
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

// TestOpen_LostElection: a process that has lost its election opens no store, also if it
// does not know that yet.
func TestOpen_LostElection(t *testing.T) {
	e := newEnv(t)
	first := e.elect(t, e.electionOptions("same"))
	second := e.open(t, "same")
	for range 2 {
		if _, err := cluster.Open(t.Context(), e.options(first)); !errors.Is(err, store.ErrFenced) {
			t.Errorf("got %v, want fenced", err)
		}
	}
	if !lost(first) {
		t.Error("Lost of the first process is open")
	}
	must(t, second.Checkpoints().Save(t.Context(), "pods", inventory(0, 1, 1)))
	must(t, first.Close())
	must(t, second.Close())
}

// TestOpen_OtherElection moves a store to a process that is elected by another Lease. It
// waits until the store is closed, or the election of the writer has ended.
func TestOpen_OtherElection(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, e env, first process, clock *testclock.FakeClock){
		"closed": func(t *testing.T, _ env, first process, _ *testclock.FakeClock) {
			t.Helper()
			must(t, first.Store.Close())
		},
		"resigned": func(t *testing.T, _ env, first process, _ *testclock.FakeClock) {
			t.Helper()
			must(t, first.leader.Close())
		},
		"expired": func(_ *testing.T, _ env, _ process, clock *testclock.FakeClock) {
			clock.Step(cluster.DefaultLeaseDuration)
		},
		"deleted": func(t *testing.T, e env, _ process, _ *testclock.FakeClock) {
			t.Helper()
			must(t, e.client.CoordinationV1().Leases(e.namespace).Delete(t.Context(), "worker", metav1.DeleteOptions{}))
		},
		"elected again": func(t *testing.T, e env, _ process, _ *testclock.FakeClock) {
			t.Helper()
			must(t, e.elect(t, e.electionOptions("first")).Close())
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			e := newEnv(t)
			ctx := t.Context()
			first := e.open(t, "first")
			must(t, first.Checkpoints().Save(ctx, "pods", inventory(0, 1, 1)))
			o := e.electionOptions("other")
			o.Name = "other-worker"
			leader := e.elect(t, o)
			options, clock := e.options(leader), testclock.NewFakeClock(e.clock.Now())
			options.Clock = clock
			opened := make(chan *cluster.Store, 1)
			go func() {
				s, err := cluster.Open(ctx, options)
				if err != nil {
					t.Error(err)
				}
				opened <- s
			}()
			waiting := standby{clock: clock}
			waiting.step(t, 5*time.Second)
			waiting.waitForPoll(t)
			select {
			case <-opened:
				t.Fatal("opened while the first writer has it open")
			default:
			}
			end(t, e, first, clock)
			if name != "expired" {
				waiting.step(t, 500*time.Millisecond)
			}
			second := process{testcluster.Receive(t, "the open store", opened), leader}
			_, err := second.Checkpoints().Load(ctx, "pods")
			must(t, err)
			if err := first.Checkpoints().Save(ctx, "pods", inventory(0, 1, 2)); err == nil {
				t.Error("the first writer can write to the store of the second")
			}
			must(t, first.Close())
			must(t, second.Checkpoints().Save(ctx, "pods", inventory(0, 1, 3)))
			must(t, second.Close())
		})
	}
}
