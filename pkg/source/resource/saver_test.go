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
	"github.com/kubevela/kube-trigger/test/cluster"
)

// storeProcess is a process with a real store.
type storeProcess struct {
	*harness
	stop func()
}

// startWithStore starts a process that saves to s with the interval every. If every is 0,
// it saves only at the end.
func (e env) startWithStore(s store.Store, every time.Duration, specs []triggerSpec, opts ...option) storeProcess {
	e.Helper()
	var c clock.Clock = clock.RealClock{}
	if every == 0 {
		c, every = clocktesting.NewFakeClock(time.Now()), time.Hour
	}
	saver := store.NewBatchSaver(s, store.BatchSaverOptions{
		MaxDelay: every, BatchSize: 1_000_000, GracePeriod: timeout, Clock: c, OnError: func(error) {},
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- saver.Run(ctx) }()
	p := storeProcess{harness: newSharedHarness(e.T, e.config, specs, append(opts, func(o *resource.Options) { o.Checkpoints, o.Saver = s.Checkpoints(), saver })...)}
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := cluster.Receive(e.T, "the end of the saver", ended); err != nil {
			e.Error(err)
		}
	})
	e.Cleanup(p.stop)
	p.run()
	p.waitForWatch()
	return p
}

// close stops the source, and saves the remaining changes.
func (p storeProcess) close() {
	p.harness.stop()
	p.stop()
}

// faultyStore is a store whose Save can fail. It counts the calls.
type faultyStore struct {
	store.Store
	mu            sync.Mutex
	failing       bool
	failed, saved int
}

// Checkpoints implements store.Store.
func (s *faultyStore) Checkpoints() store.Checkpoints {
	return faultyCheckpoints{s.Store.Checkpoints(), s}
}

type faultyCheckpoints struct {
	store.Checkpoints
	store *faultyStore
}

// Save implements store.Checkpoints.
func (c faultyCheckpoints) Save(ctx context.Context, name string, change store.Change) error {
	s := c.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing {
		s.failed++
		return errors.New("no space left on device")
	}
	s.saved++
	return c.Checkpoints.Save(ctx, name, change)
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

// A store that fails temporarily neither blocks nor loses events.
func TestSaver_Failure(t *testing.T) {
	e := newEnv(t)
	s := e.newStore()
	specs := []triggerSpec{e.trigger("t", "")}
	p := e.startWithStore(s, time.Millisecond, specs)
	s.setFailing(true)
	parallel(50, "cm", func(name string) { e.create(name, nil) })
	p.waitForEvents(50)
	eventually(t, func() bool { failed, _ := s.counts(); return failed > 1 })
	s.setFailing(false)
	p.close()
	parallel(50, "cm", func(name string) { e.update(name, `{"data": {"n": "1"}}`) })
	p = e.startWithStore(s, time.Millisecond, specs)
	p.waitForEvents(50)
	e.create("last", nil)
	for _, ev := range p.waitForEvents(51)[:50] {
		if ev.Type != "update" {
			t.Errorf("%s of %s repeated", ev.Type, ev.Key)
		}
	}
	p.close()
}

// The store is written once per interval, and once before the first event.
func TestSaver_Batches(t *testing.T) {
	e := newEnv(t)
	s := e.newStore()
	p := e.startWithStore(s, 0, []triggerSpec{e.trigger("t", "")})
	parallel(100, "cm", func(name string) { e.create(name, nil) })
	parallel(100, "cm", func(name string) { e.update(name, `{"data": {"n": "1"}}`) })
	p.waitForEvents(200)
	if _, n := s.counts(); n != 1 {
		t.Errorf("saved %d times within the first interval, want once", n)
	}
	p.close()
	if _, n := s.counts(); n != 2 {
		t.Errorf("saved %d times, want twice", n)
	}
}
