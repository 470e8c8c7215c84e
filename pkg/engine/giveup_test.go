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

// cemetery is a store of letters that fails as long as it is told to.
type cemetery struct {
	store.Letters

	mu      sync.Mutex
	failing error
	tries   int
	letters []store.Letter
}

func (c *cemetery) Bury(_ context.Context, l store.Letter) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tries++
	if c.failing != nil {
		return "", c.failing
	}
	c.letters = append(c.letters, l)
	return fmt.Sprint("letter-", len(c.letters)), nil
}

func (c *cemetery) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failing = err
}

// all returns the letters by the IDs of their events: they are stored side by
// side.
func (c *cemetery) all() []store.Letter {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(slices.Values(c.letters), func(a, b store.Letter) int {
		return cmp.Compare(a.Event.ID, b.Event.ID)
	})
}

// doomed acts on all events but those whose ID is "bad".
func doomed(ran *tape) engine.Trigger {
	return engine.Trigger{Action: actionFunc(func(_ context.Context, ev event.Event) error {
		ran.add(ev.ID)
		if ev.ID == "bad" {
			return action.Terminal(errors.New("poison"))
		}
		return nil
	})}
}

// burials records what becomes of letters.
type burials struct {
	mu  sync.Mutex
	all []engine.Burial
}

func (b *burials) Observe(engine.Decision) {}

func (b *burials) ObserveBurial(burial engine.Burial) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, burial)
}

// TestDoneOnlyOnceBuried has a store that fails for a while: the event is not
// done, nothing behind it waits, and nothing is lost.
func TestDoneOnlyOnceBuried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran tape
		letters, seen := &cemetery{failing: errors.New("disk full")}, &burials{}
		r := start(t, engine.Options{Letters: letters, Observers: []engine.Observer{seen}}, doomed(&ran))
		for _, id := range []string{"1", "bad", "2"} {
			r.deliver("a", id)
		}
		pass(time.Minute)
		ran.want(t, "1", "bad", "2")
		r.wantDone("1", "2")
		if letters.tries < 5 || letters.tries > 20 {
			t.Errorf("%d tries within a minute", letters.tries)
		}
		letters.fail(nil)
		pass(15 * time.Second)
		r.wantDone("1", "bad", "2")
		if all := letters.all(); len(all) != 1 || all[0].Event.ID != "bad" || all[0].Reason != engine.ReasonTerminal ||
			all[0].Error != "poison" || all[0].Attempts != 1 || all[0].Trigger.Name != "t0" || all[0].First.IsZero() {
			t.Errorf("letters %+v", all)
		}
		last := seen.all[len(seen.all)-1]
		if len(seen.all) != letters.tries || seen.all[0].Err == nil || seen.all[0].RetryIn == 0 || last.Err != nil || last.ID != "letter-1" {
			t.Errorf("burials %+v", seen.all)
		}
		r.stop()
	})
}

func TestRefusedLetterHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		letters := &cemetery{failing: fmt.Errorf("bury: %w", store.ErrRefused)}
		r := start(t, engine.Options{Letters: letters}, doomed(&tape{}))
		r.deliver("a", "bad")
		pass(time.Minute)
		r.wantDone("bad")
		if letters.tries != 1 {
			t.Errorf("%d tries", letters.tries)
		}
		r.stop()
	})
}

// TestStopBeforeBuried stops while the store fails: the event comes again.
func TestStopBeforeBuried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		letters := &cemetery{failing: errors.New("disk full")}
		r := start(t, engine.Options{Letters: letters}, doomed(&tape{}))
		r.deliver("a", "bad")
		pass(time.Minute)
		r.stop()
		r.wantDone()
		r.wantOutcomes("bad", engine.GivenUp, engine.Returned)
	})
}
