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

// disk is what outlives processes: every change is on it at once, or as many
// later as it lags behind.
type disk struct {
	mu      sync.Mutex
	resumes map[string]store.Resume
	lag     int
}

// process is what one process has of a disk, until it is killed.
type process struct {
	*disk
	killed  bool
	pending []func()
}

func newDisk() *disk { return &disk{resumes: map[string]store.Resume{}} }

// boot returns the option for a process that uses d.
func (d *disk) boot() (*process, option) {
	p := &process{disk: d}
	return p, func(o *resource.Options) { o.Resumes, o.Saver = p, p }
}

// kill takes the disk away, and what is not on it.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed, p.pending = true, nil
}

func (p *process) Save(watch string, c store.Change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed {
		return
	}
	p.pending = append(p.pending, func() { p.apply(watch, c) })
	for len(p.pending) > p.lag {
		p.pending[0]()
		p.pending = p.pending[1:]
	}
}

func (p *process) Flush(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed {
		return errors.New("killed")
	}
	for _, apply := range p.pending {
		apply()
	}
	p.pending = nil
	return nil
}

func (d *disk) apply(watch string, c store.Change) {
	r := d.resumes[watch]
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
	if c.Mark != nil {
		r.Mark = *c.Mark
	}
	if c.Triggers != nil {
		r.Triggers = slices.Clone(c.Triggers)
	}
	d.resumes[watch] = r
}

func (d *disk) Load(_ context.Context, watch string) (store.Resume, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.resumes[watch]
	r.Inventory = maps.Clone(r.Inventory)
	return r, nil
}

func (d *disk) Forget(_ context.Context, watch string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.resumes, watch)
	return nil
}

func (d *disk) Watches(context.Context) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.resumes)), nil
}

// only returns what is kept of the only watch.
func (d *disk) only() store.Resume {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.resumes {
		r.Inventory = maps.Clone(r.Inventory)
		return r
	}
	return store.Resume{}
}
