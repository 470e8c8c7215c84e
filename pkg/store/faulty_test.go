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

// fakeStore is a store that fails where it is told to, and tells of each write.
type fakeStore struct {
	store.Store
	lost chan struct{}

	mu          sync.Mutex
	failing     error
	checkpoints map[string]store.Checkpoint
	writes      int
	runs        []store.Run
	// acked are sources and IDs, each with the number of writes before.
	acked []string
	// blocked is closed to let writes go on.
	blocked chan struct{}
}

func newFakeStore() *fakeStore {
	f := &fakeStore{lost: make(chan struct{}), checkpoints: map[string]store.Checkpoint{}, blocked: make(chan struct{})}
	close(f.blocked)
	return f
}

func (f *fakeStore) Lost() <-chan struct{} { return f.lost }

func (f *fakeStore) Save(ctx context.Context, watch string, c store.Change) error {
	f.mu.Lock()
	held := f.blocked
	f.mu.Unlock()
	select {
	case <-held:
	case <-ctx.Done():
		return ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	if f.failing != nil {
		return f.failing
	}
	r := f.checkpoints[watch]
	if r.Inventory == nil {
		r.Inventory = map[string]store.Entry{}
	}
	if c.Watermark != nil {
		r.Watermark = *c.Watermark
	}
	for key, e := range c.Inventory {
		if e == nil {
			delete(r.Inventory, key)
		} else {
			r.Inventory[key] = *e
		}
	}
	f.checkpoints[watch] = r
	return nil
}

func (f *fakeStore) Record(_ context.Context, runs ...store.Run) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failing != nil {
		return f.failing
	}
	f.runs = append(f.runs, runs...)
	return nil
}

func (f *fakeStore) Ack(_ context.Context, source, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failing != nil {
		return f.failing
	}
	f.acked = append(f.acked, fmt.Sprintf("%s/%s after %d", source, id, f.writes))
	return nil
}

func (f *fakeStore) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing = err
}

func (f *fakeStore) state() (position string, writes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.checkpoints["w"].Position, f.writes
}
