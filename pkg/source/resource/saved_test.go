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

// storeProcess is a process with a real store.
type storeProcess struct {
	*harness
	stop func()
}

// startWithStore starts a process that saves to s as often as every says, on a clock of
// its own where that is 0: then it saves at the end.
func (e env) startWithStore(s store.Store, every time.Duration, specs []triggerSpec, opts ...option) storeProcess {
	e.Helper()
	var c clock.Clock = clock.RealClock{}
	if every == 0 {
		c, every = clocktesting.NewFakeClock(time.Now()), time.Hour
	}
	saver := store.NewSaver(s, store.SaverOptions{
		MaxDelay: every, BatchSize: 1_000_000, GracePeriod: timeout, Clock: c, OnError: func(error) {},
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- saver.Run(ctx) }()
	l := storeProcess{harness: newSharedHarness(e.T, e.config, specs, append(opts, func(o *resource.Options) { o.Checkpoints, o.Saver = s, saver })...)}
	l.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			e.Error(err)
		}
	})
	e.Cleanup(l.stop)
	l.run()
	l.waitForWatch()
	return l
}

// close stops the source, and saves what is left.
func (p storeProcess) close() {
	p.harness.stop()
	p.stop()
}

// faultyStore is a store that fails to save, and counts how often it is asked.
type faultyStore struct {
	store.Store
	mu            sync.Mutex
	failing       bool
	failed, saved int
}

func (s *faultyStore) Save(ctx context.Context, watch string, c store.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing {
		s.failed++
		return errors.New("no space left on device")
	}
	s.saved++
	return s.Store.Save(ctx, watch, c)
}

func (s *faultyStore) setFailing(failing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = failing
}

func (s *faultyStore) counts() (failed, saved int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed, s.saved
}

func (e env) newStore() *faultyStore {
	e.Helper()
	s, err := file.Open(e.Context(), filepath.Join(e.TempDir(), "store.db"), file.Options{})
	if err != nil {
		e.Fatal(err)
	}
	e.Cleanup(func() {
		if err := s.Close(); err != nil {
			e.Error(err)
		}
	})
	return &faultyStore{Store: s}
}

// A store that fails for a while slows nothing, and loses nothing.
func TestStoreFails(t *testing.T) {
	b := newEnv(t)
	s := b.newStore()
	asks := []triggerSpec{b.trigger("t", "")}
	l := b.startWithStore(s, time.Millisecond, asks)
	s.setFailing(true)
	parallel(50, "cm", func(name string) { b.create(name, nil) })
	l.waitForEvents(50)
	eventually(t, func() bool { failed, _ := s.counts(); return failed > 1 })
	s.setFailing(false)
	l.close()
	parallel(50, "cm", func(name string) { b.update(name, `{"data": {"n": "1"}}`) })
	l = b.startWithStore(s, time.Millisecond, asks)
	l.waitForEvents(50)
	b.create("last", nil)
	for _, ev := range l.waitForEvents(51)[:50] {
		if ev.Type != "update" {
			t.Errorf("%s of %s again", ev.Type, ev.Key)
		}
	}
	l.close()
}

// However much happens, the store is written once for each interval, and before
// the first event.
func TestSavesAreBounded(t *testing.T) {
	b := newEnv(t)
	s := b.newStore()
	l := b.startWithStore(s, 0, []triggerSpec{b.trigger("t", "")})
	parallel(100, "cm", func(name string) { b.create(name, nil) })
	parallel(100, "cm", func(name string) { b.update(name, `{"data": {"n": "1"}}`) })
	l.waitForEvents(200)
	if _, n := s.counts(); n != 1 {
		t.Errorf("saved %d times before the interval was over, want where it begins", n)
	}
	l.close()
	if _, n := s.counts(); n != 2 {
		t.Errorf("saved %d times, want twice", n)
	}
}
