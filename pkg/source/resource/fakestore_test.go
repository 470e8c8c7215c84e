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
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// fakeStore is an in-memory store that outlives processes. A change is applied after lag
// further changes were saved.
type fakeStore struct {
	mu          sync.Mutex
	checkpoints map[string]store.Checkpoint
	lag         int
}

// storeSession is the access of one process to a fakeStore, until it is killed.
type storeSession struct {
	*fakeStore
	killed  bool
	pending []func()
}

func newFakeStore() *fakeStore { return &fakeStore{checkpoints: map[string]store.Checkpoint{}} }

// newSession returns a session, and the option for a process that uses it.
func (s *fakeStore) newSession() (*storeSession, option) {
	session := &storeSession{fakeStore: s}
	return session, func(o *resource.Options) { o.Checkpoints, o.Saver = s, session }
}

// kill ends the session, and discards the changes that are not applied.
func (s *storeSession) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.killed, s.pending = true, nil
}

func (s *storeSession) Save(name string, c store.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.killed {
		return
	}
	s.pending = append(s.pending, func() { s.apply(name, c) })
	for len(s.pending) > s.lag {
		s.pending[0]()
		s.pending = s.pending[1:]
	}
}

// Ack implements store.Saver. Nothing is queued.
func (s *storeSession) Ack(string, string) {}

func (s *storeSession) Flush(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.killed {
		return errors.New("killed")
	}
	for _, apply := range s.pending {
		apply()
	}
	s.pending = nil
	return nil
}

func (s *fakeStore) apply(name string, c store.Change) {
	r := s.checkpoints[name]
	if r.Values == nil {
		r.Values = map[string][]byte{}
	}
	for key, v := range c.Values {
		if v == nil {
			delete(r.Values, key)
		} else {
			r.Values[key] = v
		}
	}
	if c.Cursor != nil {
		r.Cursor = *c.Cursor
	}
	s.checkpoints[name] = r
}

func (s *fakeStore) Load(_ context.Context, name string) (store.Checkpoint, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.checkpoints[name]
	r.Values = maps.Clone(r.Values)
	return r, nil
}

func (s *fakeStore) Save(_ context.Context, name string, c store.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apply(name, c)
	return nil
}

func (s *fakeStore) Delete(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.checkpoints, name)
	return nil
}

func (s *fakeStore) List(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.checkpoints)), nil
}

// single returns the objects in the only checkpoint, by key.
func (s *fakeStore) single(t *testing.T) map[string]resource.SavedObject {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	objects := map[string]resource.SavedObject{}
	for _, r := range s.checkpoints {
		for name, value := range r.Values {
			key, ok := strings.CutPrefix(name, "object/")
			if !ok {
				continue
			}
			o, err := resource.DecodeObject(value)
			if err != nil {
				t.Error(err)
			}
			objects[key] = o
		}
		break
	}
	return objects
}

// prune deletes the checkpoints that none of subscriptions uses.
func (s *fakeStore) prune(t *testing.T, subscriptions ...source.Subscription) {
	t.Helper()
	used := func(name string) bool {
		return slices.ContainsFunc(subscriptions, func(sub source.Subscription) bool { return sub.UsesCheckpoint(name) })
	}
	if err := store.Prune(t.Context(), prunedStore{fake: s}, used); err != nil {
		t.Fatal(err)
	}
}

// prunedStore has the checkpoints of a fakeStore, and an empty queue.
type prunedStore struct {
	store.Store
	fake *fakeStore
}

func (s prunedStore) Checkpoints() store.Checkpoints { return s.fake }

func (s prunedStore) Queue() store.Queue { return emptyQueue{} }

type emptyQueue struct{ store.Queue }

func (emptyQueue) Pending(context.Context, string) iter.Seq2[event.Event, error] {
	return func(func(event.Event, error) bool) {}
}
