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

// watermark follows which events of a stream are done, in the order in which they
// were delivered. It remembers about as much as there are events that are not
// done. It is safe for concurrent use.
type watermark struct {
	mu        sync.Mutex
	committed string
	// positions holds the places that are not below the mark yet, *place, oldest
	// first. Of places that are done and adjacent only the last is kept.
	positions list.List
	// pending counts the places in open that are not done.
	pending int
}

type streamPosition struct {
	resourceVersion string
	done            bool
}

// Begin opens a place for an event that is about to be delivered. Either done
// is to be called, when it is done, or cancel, where it was not delivered: then
// the mark is not raised to it. An event that comes from a list has no place of
// its own on the stream: its resourceVersion is empty, and the mark stays below
// it until it is done.
func (w *watermark) Begin(resourceVersion string) (done, cancel func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.positions.PushBack(&streamPosition{resourceVersion: resourceVersion})
	w.pending++
	done = func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.pending--
		w.complete(e)
	}
	cancel = func() {
		w.mu.Lock()
		e.Value.(*streamPosition).resourceVersion = ""
		w.mu.Unlock()
		done()
	}
	return done, cancel
}

// Advance notes that the stream has reached resourceVersion without an event.
func (w *watermark) Advance(resourceVersion string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if last := w.positions.Back(); last != nil && last.Value.(*streamPosition).resourceVersion == resourceVersion {
		return
	}
	w.complete(w.positions.PushBack(&streamPosition{resourceVersion: resourceVersion}))
}

// Reset puts the mark at low, where the stream broke off. Events that are not done
// hold it there until they are, and do not raise it to their own place.
func (w *watermark) Reset(committed string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.committed = committed
	for e := w.positions.Front(); e != nil; e = e.Next() {
		e.Value.(*streamPosition).resourceVersion = ""
	}
}

// Committed returns the resourceVersion up to which everything is done, empty where
// nothing is, and the number of events above it that are not.
func (w *watermark) Committed() (resourceVersion string, pending int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.committed, w.pending
}

// complete marks e as done, joins it with its neighbours, and raises the mark if
// e was the oldest.
func (w *watermark) complete(e *list.Element) {
	pos := e.Value.(*streamPosition)
	pos.done = true
	if prev := e.Prev(); prev != nil && prev.Value.(*streamPosition).done {
		pos.inherit(w.positions.Remove(prev).(*streamPosition))
	}
	if next := e.Next(); next != nil && next.Value.(*streamPosition).done {
		next.Value.(*streamPosition).inherit(w.positions.Remove(e).(*streamPosition))
		e, pos = next, next.Value.(*streamPosition)
	}
	if e.Prev() == nil {
		w.positions.Remove(e)
		if pos.resourceVersion != "" {
			w.committed = pos.resourceVersion
		}
	}
}

// inherit takes over the resourceVersion of the place before p, if p has none.
func (p *streamPosition) inherit(previous *streamPosition) {
	if p.resourceVersion == "" {
		p.resourceVersion = previous.resourceVersion
	}
}
