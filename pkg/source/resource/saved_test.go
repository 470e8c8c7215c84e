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

package resource_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

// saved is a process with a real store.
type saved struct {
	*running
	stop func()
}

// saved starts a process that saves to s as often as every says, on a clock of
// its own where that is 0: then it saves at the end.
func (b bed) saved(s store.Store, every time.Duration, asks []asked, opts ...option) saved {
	b.Helper()
	var c clock.Clock = clock.RealClock{}
	if every == 0 {
		c, every = clocktesting.NewFakeClock(time.Now()), time.Hour
	}
	saver := store.NewSaver(s, store.SaverOptions{
		Every: every, Changes: 1_000_000, Grace: patience, Clock: c, OnError: func(error) {},
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- saver.Run(ctx) }()
	l := saved{running: openAll(b.T, b.config, asks, append(opts, func(o *resource.Options) { o.Resumes, o.Saver = s, saver })...)}
	l.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	b.Cleanup(l.stop)
	l.run()
	l.established()
	return l
}

// end stops the source, and saves what is left.
func (l saved) end() {
	l.running.stop()
	l.stop()
}

// faulty is a store that fails to save, and counts how often it is asked.
type faulty struct {
	store.Store
	mu            sync.Mutex
	broken        bool
	failed, saved int
}

func (f *faulty) Save(ctx context.Context, watch string, c store.Change) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken {
		f.failed++
		return errors.New("no space left on device")
	}
	f.saved++
	return f.Store.Save(ctx, watch, c)
}

func (f *faulty) set(broken bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = broken
}

func (f *faulty) counts() (failed, saved int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed, f.saved
}

func (b bed) store() *faulty {
	b.Helper()
	s, err := file.Open(b.Context(), filepath.Join(b.TempDir(), "store.db"), file.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return &faulty{Store: s}
}

// A store that fails for a while slows nothing, and loses nothing.
func TestStoreFails(t *testing.T) {
	b := newBed(t)
	s := b.store()
	asks := []asked{b.one("t", "")}
	l := b.saved(s, time.Millisecond, asks)
	s.set(true)
	many(50, "cm", func(name string) { b.create(name, nil) })
	l.until(50)
	eventually(t, func() bool { failed, _ := s.counts(); return failed > 1 })
	s.set(false)
	l.end()
	many(50, "cm", func(name string) { b.update(name, `{"data": {"n": "1"}}`) })
	l = b.saved(s, time.Millisecond, asks)
	l.until(50)
	b.create("last", nil)
	for _, ev := range l.until(51)[:50] {
		if ev.Type != "update" {
			t.Errorf("%s of %s again", ev.Type, ev.Key)
		}
	}
	l.end()
}

// However much happens, the store is written once for each interval, and before
// the first event.
func TestSavesAreBounded(t *testing.T) {
	b := newBed(t)
	s := b.store()
	l := b.saved(s, 0, []asked{b.one("t", "")})
	many(100, "cm", func(name string) { b.create(name, nil) })
	many(100, "cm", func(name string) { b.update(name, `{"data": {"n": "1"}}`) })
	l.until(200)
	if _, n := s.counts(); n != 1 {
		t.Errorf("saved %d times before the interval was over, want where it begins", n)
	}
	l.end()
	if _, n := s.counts(); n != 2 {
		t.Errorf("saved %d times, want twice", n)
	}
}
