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
	"slices"
	"strings"
	"sync"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// recorder is a sink that remembers what it got.
type recorder struct {
	mu     sync.Mutex
	events []event.Event
	lines  []string // of the log
	// gate blocks deliveries while it is not nil and not closed.
	gate chan struct{}
	// undone leaves events undone.
	undone bool
	// holdIf leaves the events undone for which it holds.
	holdIf func(event.Event) bool
	held   map[string]func()
	// handler, where it is set, has to call done.
	handler func(ev event.Event, done func())
	// closed is set where nothing is taken any more.
	closed bool
}

func (r *recorder) Deliver(ctx context.Context, ev event.Event, done func()) error {
	r.mu.Lock()
	gate := r.gate
	r.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errors.New("dead")
	}
	r.events = append(r.events, ev)
	switch {
	case r.handler != nil:
		r.handler(ev, done)
	case r.holdIf != nil && r.holdIf(ev):
		if r.held == nil {
			r.held = map[string]func(){}
		}
		r.held[ev.ID] = done
	case !r.undone:
		done()
	}
	return nil
}

// holdEvents leaves the events undone from now on for which that holds.
func (r *recorder) holdEvents(match func(event.Event) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holdIf = match
}

// releaseHeld lets the events that are held be done.
func (r *recorder) releaseHeld() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, done := range r.held {
		done()
	}
	r.held, r.holdIf = nil, nil
}

func (r *recorder) received() []event.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// logged reports whether the log has a line that contains text.
func (r *recorder) logged(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.lines, func(line string) bool { return strings.Contains(line, text) })
}

// brief returns events as "type key".
func brief(events []event.Event) []string {
	out := []string{}
	for _, ev := range events {
		out = append(out, ev.Type+" "+ev.Key)
	}
	return out
}
