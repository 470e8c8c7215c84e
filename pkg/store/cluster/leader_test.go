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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testclock "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/cluster"
	testcluster "github.com/kubevela/kube-trigger/test/cluster"
)

// standby waits for its election in the background. Its clock stands still until it
// is stepped.
type standby struct {
	clock   *testclock.FakeClock
	elected chan *cluster.Leader
	ended   chan error
}

func startStandby(ctx context.Context, o cluster.ElectionOptions) standby {
	s := standby{testclock.NewFakeClock(o.Clock.Now()), make(chan *cluster.Leader, 1), make(chan error, 1)}
	o.Clock = s.clock
	go func() {
		l, err := cluster.Elect(ctx, o)
		if err != nil {
			s.ended <- err
			return
		}
		s.elected <- l
	}()
	return s
}

// waitForPoll waits until the standby waits for its next read of the Lease.
func (s standby) waitForPoll(t *testing.T) {
	t.Helper()
	testcluster.Eventually(t, "the next wait of the standby", func(context.Context) error {
		if !s.clock.HasWaiters() {
			return errors.New("no timer")
		}
		return nil
	})
}

// step lets d pass in steps of the poll interval, with a read of the Lease after each.
func (s standby) step(t *testing.T, d time.Duration) {
	t.Helper()
	for ; d > 0; d -= 500 * time.Millisecond {
		s.waitForPoll(t)
		s.clock.Step(500 * time.Millisecond)
	}
}

// waitForElection steps the clock until the standby is elected.
func (s standby) waitForElection(t *testing.T) *cluster.Leader {
	t.Helper()
	var leader *cluster.Leader
	testcluster.Eventually(t, "the election of the standby", func(context.Context) error {
		select {
		case leader = <-s.elected:
			return nil
		default:
		}
		if s.clock.HasWaiters() {
			s.clock.Step(500 * time.Millisecond)
		}
		return errors.New("not elected")
	})
	return leader
}

func TestElect_Standby(t *testing.T) {
	e := newEnv(t)
	first := e.open(t, "first")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	canceled := startStandby(ctx, e.electionOptions("second"))
	canceled.waitForPoll(t)
	cancel()
	if err := testcluster.Receive(t, "the end of Elect", canceled.ended); !strings.Contains(err.Error(), `held by "first"`) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want held by first", err)
	}
	must(t, first.Checkpoints().Save(t.Context(), "pods", inventory(0, 1, 1)))
	if lost(first) {
		t.Error("the first writer lost the store")
	}

	second := startStandby(t.Context(), e.electionOptions("second"))
	second.waitForPoll(t)
	must(t, first.Close())
	if err := first.Checkpoints().Save(t.Context(), "pods", inventory(0, 1, 2)); err == nil || errors.Is(err, store.ErrFenced) {
		t.Errorf("after Close: got %v, want closed", err)
	}
	must(t, first.Close())
	before := second.clock.Now()
	must(t, second.waitForElection(t).Close())
	if waited := second.clock.Since(before); waited >= cluster.DefaultLeaseDuration {
		t.Errorf("elected %s after the Lease was released", waited)
	}
}

// TestElect_Expiry elects a standby after the leader is killed, not earlier than the
// duration of the Lease after its last renewal.
func TestElect_Expiry(t *testing.T) {
	e := newEnv(t)
	o := e.electionOptions("first")
	o.LeaseDuration = 3 * time.Second
	// A stopped process: its clock does not advance.
	first := e.elect(t, o)
	s := startStandby(t.Context(), e.electionOptions("second"))
	s.step(t, 2500*time.Millisecond)
	s.waitForPoll(t)
	if holder := *e.lease(t, "worker").Spec.HolderIdentity; holder != "first" {
		t.Errorf("held by %q before the Lease has expired", holder)
	}
	s.step(t, 500*time.Millisecond)
	second := testcluster.Receive(t, "the second leader", s.elected)
	// The first one continues: its next renewal fails.
	e.clock.Step(time.Second)
	testcluster.Receive(t, "the loss of the first election", first.Lost())
	must(t, first.Close())
	if holder := *e.lease(t, "worker").Spec.HolderIdentity; holder != "second" {
		t.Errorf("held by %q after the loser has ended", holder)
	}
	must(t, second.Close())
}

// TestElect_SameIdentity: a restarted pod does not wait for its own Lease to expire.
func TestElect_SameIdentity(t *testing.T) {
	e := newEnv(t)
	killed := e.elect(t, e.electionOptions("pod"))
	restarted := startStandby(t.Context(), e.electionOptions("pod"))
	must(t, testcluster.Receive(t, "the leader", restarted.elected).Close())
	must(t, killed.Close())
}

// TestElect_Renewal: the Lease is renewed, also after a user has changed it. The stores are
// lost when the Lease is deleted.
func TestElect_Renewal(t *testing.T) {
	e := newEnv(t)
	ctx := t.Context()
	s := e.open(t, "first")
	leases := e.client.CoordinationV1().Leases(e.namespace)
	for range 3 {
		lease := e.lease(t, "worker")
		lease.Labels["edited"] = strconv.Itoa(e.clock.Now().Second())
		_, err := leases.Update(ctx, lease, metav1.UpdateOptions{})
		must(t, err)
		testcluster.Eventually(t, "a renewal", func(context.Context) error {
			e.clock.Step(time.Second)
			if e.lease(t, "worker").Spec.RenewTime.Equal(lease.Spec.RenewTime) {
				return errors.New("not renewed")
			}
			return nil
		})
	}
	if lost(s) {
		t.Error("Lost is closed")
	}
	must(t, leases.Delete(ctx, "worker", metav1.DeleteOptions{}))
	e.clock.Step(5 * time.Second)
	testcluster.Receive(t, "the loss after the deletion of the Lease", s.Lost())
	if err := s.Queue().Enqueue(ctx, event.Event{Source: "webhook", ID: "1"}); !errors.Is(err, store.ErrFenced) {
		t.Errorf("got %v, want fenced", err)
	}
	must(t, s.Close())
	must(t, e.open(t, "second").Close())
}
