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

// watermark tracks up to which resourceVersion all events of a stream are done. Its
// size is proportional to the number of pending events. It is safe for concurrent use.
type watermark struct {
	mu        sync.Mutex
	committed string
	// positions holds the *streamPositions above the watermark, oldest first. Adjacent
	// positions that are done are merged into the last.
	positions list.List
	// pending is the number of positions that are not done.
	pending int
}

// streamPosition is the position of an event, or of progress without an event. Its
// resourceVersion is empty if the watermark must not be raised to it.
type streamPosition struct {
	resourceVersion string
	done            bool
}

// Begin adds an event before it is delivered. The caller calls done when the event is
// done, or cancel if it was not delivered; the watermark is not raised to a cancelled
// event. resourceVersion is empty for an event from a list; the watermark then stays
// below the event until it is done, and is not raised to it.
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

// Advance adds a position that the stream has reached without an event.
func (w *watermark) Advance(resourceVersion string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if last := w.positions.Back(); last != nil && last.Value.(*streamPosition).resourceVersion == resourceVersion {
		return
	}
	w.complete(w.positions.PushBack(&streamPosition{resourceVersion: resourceVersion}))
}

// Reset sets the watermark, after the stream was interrupted. Events that are pending
// hold the watermark until they are done, but do not raise it.
func (w *watermark) Reset(committed string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.committed = committed
	for e := w.positions.Front(); e != nil; e = e.Next() {
		e.Value.(*streamPosition).resourceVersion = ""
	}
}

// Committed returns the resourceVersion up to which all events are done, or "" if there
// is none, and the number of pending events above it.
func (w *watermark) Committed() (resourceVersion string, pending int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.committed, w.pending
}

// complete marks e as done, merges it with its neighbors, and raises the watermark if
// e was the oldest position.
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

// inherit sets the resourceVersion of p to that of the previous position if p has none.
func (p *streamPosition) inherit(previous *streamPosition) {
	if p.resourceVersion == "" {
		p.resourceVersion = previous.resourceVersion
	}
}
