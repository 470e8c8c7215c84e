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
	"maps"
	"slices"
	"sync"

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
	return session, func(o *resource.Options) { o.Checkpoints, o.Saver = session, session }
}

// kill ends the session, and discards the changes that are not applied.
func (s *storeSession) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.killed, s.pending = true, nil
}

func (s *storeSession) Save(watch string, c store.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.killed {
		return
	}
	s.pending = append(s.pending, func() { s.apply(watch, c) })
	for len(s.pending) > s.lag {
		s.pending[0]()
		s.pending = s.pending[1:]
	}
}

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

func (s *fakeStore) apply(watch string, c store.Change) {
	r := s.checkpoints[watch]
	if r.Inventory == nil {
		r.Inventory = map[string]store.Entry{}
	}
	for key, e := range c.Inventory {
		if e == nil {
			delete(r.Inventory, key)
		} else {
			r.Inventory[key] = *e
		}
	}
	if c.Watermark != nil {
		r.Watermark = *c.Watermark
	}
	if c.Triggers != nil {
		r.Triggers = slices.Clone(c.Triggers)
	}
	s.checkpoints[watch] = r
}

func (s *fakeStore) Load(_ context.Context, watch string) (store.Checkpoint, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.checkpoints[watch]
	r.Inventory = maps.Clone(r.Inventory)
	return r, nil
}

func (s *fakeStore) Delete(_ context.Context, watch string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.checkpoints, watch)
	return nil
}

func (s *fakeStore) Watches(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.checkpoints)), nil
}

// single returns the checkpoint of the only watch.
func (s *fakeStore) single() store.Checkpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.checkpoints {
		r.Inventory = maps.Clone(r.Inventory)
		return r
	}
	return store.Checkpoint{}
}
