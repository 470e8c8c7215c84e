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

// fakeDeadLetters is a store of letters that fails as long as it is told to.
type fakeDeadLetters struct {
	store.DeadLetters

	mu      sync.Mutex
	err     error
	puts    int
	letters []store.DeadLetter
}

func (c *fakeDeadLetters) PutDeadLetter(_ context.Context, l store.DeadLetter) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.puts++
	if c.err != nil {
		return "", c.err
	}
	c.letters = append(c.letters, l)
	return fmt.Sprint("letter-", len(c.letters)), nil
}

func (c *fakeDeadLetters) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// all returns the letters by the IDs of their events: they are stored side by
// side.
func (c *fakeDeadLetters) all() []store.DeadLetter {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(slices.Values(c.letters), func(a, b store.DeadLetter) int {
		return cmp.Compare(a.Event.ID, b.Event.ID)
	})
}

// failingOnBad acts on all events but those whose ID is "bad".
func failingOnBad(ran *recorder) engine.Trigger {
	return engine.Trigger{Action: actionFunc(func(_ context.Context, ev event.Event) error {
		ran.add(ev.ID)
		if ev.ID == "bad" {
			return action.Terminal(errors.New("poison"))
		}
		return nil
	})}
}

// deadLetterResults records what becomes of letters.
type deadLetterResults struct {
	mu  sync.Mutex
	all []engine.DeadLetterResult
}

func (b *deadLetterResults) Observe(engine.Decision) {}

func (b *deadLetterResults) ObserveDeadLetter(burial engine.DeadLetterResult) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, burial)
}

// TestDoneOnlyOnceBuried has a store that fails for a while: the event is not
// done, nothing behind it waits, and nothing is lost.
func TestDoneOnlyOnceBuried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran recorder
		letters, seen := &fakeDeadLetters{err: errors.New("disk full")}, &deadLetterResults{}
		r := start(t, engine.Options{DeadLetters: letters, Observers: []engine.Observer{seen}}, failingOnBad(&ran))
		for _, id := range []string{"1", "bad", "2"} {
			r.deliver("a", id)
		}
		advance(time.Minute)
		ran.want(t, "1", "bad", "2")
		r.wantDone("1", "2")
		if letters.puts < 5 || letters.puts > 20 {
			t.Errorf("%d tries within a minute", letters.puts)
		}
		letters.fail(nil)
		advance(15 * time.Second)
		r.wantDone("1", "bad", "2")
		if all := letters.all(); len(all) != 1 || all[0].Event.ID != "bad" || all[0].Reason != engine.ReasonTerminal ||
			all[0].Error != "poison" || all[0].Attempts != 1 || all[0].Trigger.Name != "t0" || all[0].FirstAttempt.IsZero() {
			t.Errorf("letters %+v", all)
		}
		last := seen.all[len(seen.all)-1]
		if len(seen.all) != letters.puts || seen.all[0].Err == nil || seen.all[0].RetryIn == 0 || last.Err != nil || last.ID != "letter-1" {
			t.Errorf("burials %+v", seen.all)
		}
		r.stop()
	})
}

func TestRefusedLetterHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		letters := &fakeDeadLetters{err: fmt.Errorf("bury: %w", store.ErrRejected)}
		r := start(t, engine.Options{DeadLetters: letters}, failingOnBad(&recorder{}))
		r.deliver("a", "bad")
		advance(time.Minute)
		r.wantDone("bad")
		if letters.puts != 1 {
			t.Errorf("%d tries", letters.puts)
		}
		r.stop()
	})
}

// TestStopBeforeBuried stops while the store fails: the event comes again.
func TestStopBeforeBuried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		letters := &fakeDeadLetters{err: errors.New("disk full")}
		r := start(t, engine.Options{DeadLetters: letters}, failingOnBad(&recorder{}))
		r.deliver("a", "bad")
		advance(time.Minute)
		r.stop()
		r.wantDone()
		r.wantOutcomes("bad", engine.DeadLettered, engine.Requeued)
	})
}
