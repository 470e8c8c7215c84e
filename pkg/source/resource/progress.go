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

package resource

import (
	"cmp"
	"slices"
	"sync"

	"github.com/kubevela/kube-trigger/pkg/store"
)

const (
	// never is the saved position of a watch whose first list is not complete:
	// the objects that it then finds are no news.
	never = ""
	// broken is the saved position of a watch that has to compare all objects
	// with its inventory, because the stream broke off.
	broken = "0"
)

// progress is what of a watch is done, and saves it. Where it has no save it
// only keeps the mark. It is safe for concurrent use.
//
// What is saved is such that whoever starts from it sees again all that is not
// done: the position is below the first event that is not, and the inventory has
// each object as its last event left it before which no other of its events is
// open. Since all events of an object up to the version in the inventory are
// done, a stream that begins at the position brings nothing twice. For that,
// objects that are gone stay in the inventory, as graves, until the position has
// passed them.
type progress struct {
	mark mark
	save func(store.Change)

	mu sync.Mutex
	// chains are the events of each object from the oldest that is not done on.
	chains map[string][]*step
	graves map[string]version
	// dug are the graves in the order in which they were made.
	dug []grave
	// position is the one that was saved last.
	position string
}

// step is an event of an object, and what it leaves.
type step struct {
	after outcome
	done  bool
}

// outcome is what an event leaves of an object: its entry; or none, and the
// version at which it went, 0 where that is not known.
type outcome struct {
	entry *store.Entry
	gone  version
}

type grave struct {
	key string
	version
}

func newProgress(save func(store.Change)) *progress {
	return &progress{save: save, chains: map[string][]*step{}, graves: map[string]version{}}
}

// restore takes over what was saved: a position, and the graves above it.
func (p *progress) restore(position string, graves map[string]version) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.position = position
	p.mark.Lose(position)
	for key, v := range graves {
		p.graves[key] = v
		p.dug = append(p.dug, grave{key, v})
	}
	slices.SortFunc(p.dug, func(a, b grave) int { return cmp.Compare(a.version, b.version) })
}

// begin opens a place for an event of the object at key that is about to be
// delivered; see mark.Begin.
func (p *progress) begin(key, reached string, after outcome) (done, cancel func()) {
	passed, cancelled := p.mark.Begin(reached)
	if p.save == nil {
		return passed, cancelled
	}
	s := &step{after: after}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.chains[key] = append(p.chains[key], s)
	done = func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		passed()
		s.done = true
		p.settle(key)
	}
	cancel = func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		cancelled()
		chain := p.chains[key]
		if chain = chain[:len(chain)-1]; len(chain) == 0 {
			delete(p.chains, key)
		} else {
			p.chains[key] = chain
		}
	}
	return done, cancel
}

// pass notes that the stream has reached resourceVersion.
func (p *progress) pass(resourceVersion string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mark.Pass(resourceVersion)
	p.emit(nil)
}

// lose notes that the stream broke off, and has to go on from position.
func (p *progress) lose(position string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mark.Lose(position)
	entries := make(map[string]*store.Entry, len(p.graves))
	for key := range p.graves {
		entries[key] = nil
	}
	clear(p.graves)
	p.dug = nil
	p.emit(entries)
}

// note saves entries that no event is needed for, behind what is open of their
// objects. It takes entries over.
func (p *progress) note(entries map[string]*store.Entry) {
	if p.save == nil || len(entries) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, e := range entries {
		if chain, open := p.chains[key]; open {
			p.chains[key] = append(chain, &step{after: outcome{entry: e}, done: true})
			delete(entries, key)
		}
	}
	p.emit(entries)
}

// settle saves what the events at the front of a chain leave that are done.
func (p *progress) settle(key string) {
	chain := p.chains[key]
	n := 0
	for n < len(chain) && chain[n].done {
		n++
	}
	if n == 0 {
		p.emit(nil)
		return
	}
	after := chain[n-1].after
	if n == len(chain) {
		delete(p.chains, key)
	} else {
		p.chains[key] = chain[n:]
	}
	delete(p.graves, key)
	entry := after.entry
	if entry == nil && after.gone != 0 && p.isAbove(after.gone) {
		entry = newGrave(after.gone)
		p.graves[key] = after.gone
		p.dug = append(p.dug, grave{key, after.gone})
	}
	p.emit(map[string]*store.Entry{key: entry})
}

// isAbove reports whether v is above the mark.
func (p *progress) isAbove(v version) bool {
	low, _ := p.mark.Low()
	return low == never || versionOf(low).before(v)
}

// emit saves entries, and the mark if that has moved, with the graves that it
// has passed.
func (p *progress) emit(entries map[string]*store.Entry) {
	if p.save == nil {
		return
	}
	for len(p.dug) > 0 && !p.isAbove(p.dug[0].version) {
		g := p.dug[0]
		p.dug = p.dug[1:]
		if p.graves[g.key] != g.version {
			continue
		}
		delete(p.graves, g.key)
		if entries == nil {
			entries = map[string]*store.Entry{}
		}
		if _, newer := entries[g.key]; !newer {
			entries[g.key] = nil
		}
	}
	change := store.Change{Inventory: entries}
	if low, _ := p.mark.Low(); low != p.position {
		p.position = low
		change.Mark = &store.Mark{Position: low}
	}
	if change.Mark != nil || len(entries) > 0 {
		p.save(change)
	}
}
