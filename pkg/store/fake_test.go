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

package store_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// fakeStore stores checkpoints in memory and counts writes. fail makes it fail.
type fakeStore struct {
	store.Store
	lost chan struct{}

	mu          sync.Mutex
	err         error
	checkpoints map[string]store.Checkpoint
	writes      int
	// acked contains the source and ID of each ack, and the number of writes before.
	acked []string
	// blocked blocks Save until it is closed.
	blocked chan struct{}
}

func newFakeStore() *fakeStore {
	f := &fakeStore{lost: make(chan struct{}), checkpoints: map[string]store.Checkpoint{}, blocked: make(chan struct{})}
	close(f.blocked)
	return f
}

func (f *fakeStore) Lost() <-chan struct{} { return f.lost }

func (f *fakeStore) Checkpoints() store.Checkpoints { return fakeCheckpoints{fakeStore: f} }

func (f *fakeStore) Queue() store.Queue { return fakeQueue{fakeStore: f} }

type fakeCheckpoints struct {
	store.Checkpoints
	*fakeStore
}

type fakeQueue struct {
	store.Queue
	*fakeStore
}

func (f fakeCheckpoints) Save(ctx context.Context, name string, c store.Change) error {
	f.mu.Lock()
	blocked := f.blocked
	f.mu.Unlock()
	select {
	case <-blocked:
	case <-ctx.Done():
		return ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	if f.err != nil {
		return f.err
	}
	r := f.checkpoints[name]
	if r.Values == nil {
		r.Values = map[string][]byte{}
	}
	if c.Cursor != nil {
		r.Cursor = *c.Cursor
	}
	for key, v := range c.Values {
		if v == nil {
			delete(r.Values, key)
		} else {
			r.Values[key] = v
		}
	}
	f.checkpoints[name] = r
	return nil
}

func (f fakeQueue) Ack(_ context.Context, source, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	f.acked = append(f.acked, fmt.Sprintf("%s/%s after %d", source, id, f.writes))
	return nil
}

func (f *fakeStore) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakeStore) state() (position string, writes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.checkpoints["w"].Cursor, f.writes
}
