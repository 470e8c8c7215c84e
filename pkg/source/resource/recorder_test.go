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
	"github.com/kubevela/kube-trigger/pkg/source"
)

// recorder is a sink that records events.
type recorder struct {
	mu     sync.Mutex
	events []event.Event
	// deliveries are those of the events.
	deliveries []source.Delivery
	lines      []string // log lines
	// gate, if set, blocks deliveries until it is closed or receives a value.
	gate chan struct{}
	// undone leaves all events pending.
	undone bool
	// holdIf, if set, leaves the events pending for which it returns true.
	holdIf func(event.Event) bool
	held   map[string]func()
	// handler, if set, is responsible for calling done.
	handler func(ev event.Event, done func())
	// closed makes Deliver fail.
	closed bool
}

func (r *recorder) Deliver(ctx context.Context, ev event.Event, d source.Delivery) error {
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
		return errors.New("closed")
	}
	r.events, r.deliveries = append(r.events, ev), append(r.deliveries, d)
	switch {
	case r.handler != nil:
		r.handler(ev, d.Done)
	case r.holdIf != nil && r.holdIf(ev):
		if r.held == nil {
			r.held = map[string]func(){}
		}
		r.held[ev.ID] = d.Done
	case !r.undone:
		d.Done()
	}
	return nil
}

// holdEvents leaves the events pending from now on that match.
func (r *recorder) holdEvents(match func(event.Event) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holdIf = match
}

// releaseHeld completes the events that were held.
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

// skipped returns the reasons why s skips the events so far, or "".
func (r *recorder) skipped(s source.Subscription) []source.Reason {
	r.mu.Lock()
	defer r.mu.Unlock()
	reasons := make([]source.Reason, len(r.events))
	for i, ev := range r.events {
		reasons[i] = s.Skip(ev, r.deliveries[i])
	}
	return reasons
}

// logged reports whether a line of the log contains text.
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
