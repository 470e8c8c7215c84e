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
	"container/list"
	"sync"
)

// mark follows which events of a stream are done, in the order in which they
// were delivered. It remembers about as much as there are events that are not
// done. It is safe for concurrent use.
type mark struct {
	mu  sync.Mutex
	low string
	// open holds the places that are not below the mark yet, *place, oldest
	// first. Of places that are done and adjacent only the last is kept.
	open list.List
	// undone counts the places in open that are not done.
	undone int
}

type place struct {
	resourceVersion string
	done            bool
}

// Begin opens a place for an event that is about to be delivered. Either done
// is to be called, when it is done, or cancel, where it was not delivered: then
// the mark is not raised to it. An event that comes from a list has no place of
// its own on the stream: its resourceVersion is empty, and the mark stays below
// it until it is done.
func (m *mark) Begin(resourceVersion string) (done, cancel func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.open.PushBack(&place{resourceVersion: resourceVersion})
	m.undone++
	done = func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.undone--
		m.settle(e)
	}
	cancel = func() {
		m.mu.Lock()
		e.Value.(*place).resourceVersion = ""
		m.mu.Unlock()
		done()
	}
	return done, cancel
}

// Pass notes that the stream has reached resourceVersion without an event.
func (m *mark) Pass(resourceVersion string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if last := m.open.Back(); last != nil && last.Value.(*place).resourceVersion == resourceVersion {
		return
	}
	m.settle(m.open.PushBack(&place{resourceVersion: resourceVersion}))
}

// Lose puts the mark at low, where the stream broke off. Events that are not done
// hold it there until they are, and do not raise it to their own place.
func (m *mark) Lose(low string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.low = low
	for e := m.open.Front(); e != nil; e = e.Next() {
		e.Value.(*place).resourceVersion = ""
	}
}

// Low returns the resourceVersion up to which everything is done, empty where
// nothing is, and the number of events above it that are not.
func (m *mark) Low() (resourceVersion string, undone int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.low, m.undone
}

// settle marks e as done, joins it with its neighbours, and raises the mark if
// e was the oldest.
func (m *mark) settle(e *list.Element) {
	at := e.Value.(*place)
	at.done = true
	if prev := e.Prev(); prev != nil && prev.Value.(*place).done {
		at.inherit(m.open.Remove(prev).(*place))
	}
	if next := e.Next(); next != nil && next.Value.(*place).done {
		next.Value.(*place).inherit(m.open.Remove(e).(*place))
		e, at = next, next.Value.(*place)
	}
	if e.Prev() == nil {
		m.open.Remove(e)
		if at.resourceVersion != "" {
			m.low = at.resourceVersion
		}
	}
}

// inherit takes over the resourceVersion of the place before p, if p has none.
func (p *place) inherit(before *place) {
	if p.resourceVersion == "" {
		p.resourceVersion = before.resourceVersion
	}
}
