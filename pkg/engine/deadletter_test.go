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

package engine_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// fakeDeadLetters is an in-memory store of dead letters that fails while err is
// set.
type fakeDeadLetters struct {
	store.DeadLetters

	mu      sync.Mutex
	err     error
	puts    int
	letters []store.DeadLetter
}

func (f *fakeDeadLetters) Put(_ context.Context, l store.DeadLetter) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.puts++
	if f.err != nil {
		return "", f.err
	}
	f.letters = append(f.letters, l)
	return fmt.Sprint("dl-", len(f.letters)), nil
}

func (f *fakeDeadLetters) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// all returns the dead letters sorted by event ID: they are stored concurrently.
func (f *fakeDeadLetters) all() []store.DeadLetter {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.SortedFunc(slices.Values(f.letters), func(a, b store.DeadLetter) int {
		return cmp.Compare(a.Event.ID, b.Event.ID)
	})
}

// failingOnBad returns a trigger whose action fails for the event "bad" only.
func failingOnBad(ran *recorder) triggerSpec {
	return triggerSpec{Action: actionFunc(func(_ context.Context, ev event.Event) error {
		ran.add(ev.ID)
		if ev.ID == "bad" {
			return action.Terminal(errors.New("poison"))
		}
		return nil
	})}
}

// deadLetterResults records the results of storing dead letters.
type deadLetterResults struct {
	mu  sync.Mutex
	all []engine.DeadLetterResult
}

func (r *deadLetterResults) Observe(engine.Decision) {}

func (r *deadLetterResults) ObserveSource(engine.SourceFailure) {}

func (r *deadLetterResults) ObserveDeadLetter(res engine.DeadLetterResult) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, res)
}

// TestDeadLetter_StoreFails fails the store for a while: the event is not done,
// the events behind it do not wait, and the dead letter is stored later.
func TestDeadLetter_StoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran recorder
		letters, results := &fakeDeadLetters{err: errors.New("disk full")}, &deadLetterResults{}
		h := start(t, engine.Options{DeadLetters: letters, Observer: results}, failingOnBad(&ran))
		for _, id := range []string{"1", "bad", "2"} {
			h.deliver("a", id)
		}
		advance(time.Minute)
		ran.want(t, "1", "bad", "2")
		h.wantDone("1", "2")
		if letters.puts < 5 || letters.puts > 20 {
			t.Errorf("%d attempts to store within a minute", letters.puts)
		}
		letters.fail(nil)
		advance(15 * time.Second)
		h.wantDone("1", "bad", "2")
		if all := letters.all(); len(all) != 1 || all[0].Event.ID != "bad" || all[0].Reason != engine.ReasonTerminal ||
			all[0].Error != "poison" || all[0].Attempts != 1 || all[0].Trigger.Name != "t0" || all[0].FirstAttempt.IsZero() {
			t.Errorf("dead letters %+v", all)
		}
		last := results.all[len(results.all)-1]
		if len(results.all) != letters.puts || results.all[0].Err == nil || results.all[0].RetryIn == 0 || last.Err != nil || last.ID != "dl-1" {
			t.Errorf("results %+v", results.all)
		}
		h.stop()
	})
}

func TestDeadLetter_Rejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		letters := &fakeDeadLetters{err: fmt.Errorf("put: %w", store.ErrRejected)}
		h := start(t, engine.Options{DeadLetters: letters}, failingOnBad(&recorder{}))
		h.deliver("a", "bad")
		advance(time.Minute)
		h.wantDone("bad")
		if letters.puts != 1 {
			t.Errorf("%d attempts to store, want 1", letters.puts)
		}
		h.stop()
	})
}

// TestDeadLetter_StopBeforeStored stops the engine while the store fails: the
// event is requeued.
func TestDeadLetter_StopBeforeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		letters := &fakeDeadLetters{err: errors.New("disk full")}
		h := start(t, engine.Options{DeadLetters: letters}, failingOnBad(&recorder{}))
		h.deliver("a", "bad")
		advance(time.Minute)
		h.stop()
		h.wantDone()
		h.wantOutcomes("bad", engine.DeadLettered, engine.Requeued)
	})
}
