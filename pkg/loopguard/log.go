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

// Package writes remembers what the actions of triggers wrote to the API
// server, so that no trigger wakes itself, and triggers that wake each other are
// noticed.
//
//   - An event is called a trigger's own only where it is certain: where the API
//     server answered a write of the trigger with the very revision of the event,
//     and the write is known to have made that revision. A write that changes
//     nothing is answered with somebody else's.
//   - What is not remembered is nobody's own: after a restart, after a write whose
//     answer was lost, and after 10,000 others, an own write may wake its trigger
//     once more. An event of somebody else never counts as own.
//   - Deletions are never own.
//   - With each revision it is remembered which triggers led to it: the one that
//     wrote it, and those that led to the event it acted on.
package loopguard

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// maxRevisions is how many revisions are remembered, of each trigger and of all
// together.
const maxRevisions = 10_000

// managerPrefix is how the field managers of triggers begin.
const managerPrefix = "kube-trigger/"

// Tracker is what all triggers of a process have written.
type Tracker struct {
	mu        sync.Mutex
	detectors map[event.TriggerRef]*Detector
	revisions ring[causes]
	// inFlight are the writes whose answers are awaited, by object.
	inFlight map[object]*inFlight
}

// inFlight is one or more writes whose answers are awaited.
type inFlight struct {
	writes int
	done   chan struct{}
}

// NewTracker returns an empty Log.
func NewTracker() *Tracker {
	return &Tracker{detectors: map[event.TriggerRef]*Detector{}, inFlight: map[object]*inFlight{}}
}

// Detector returns the writes of one trigger, the same for each call.
func (l *Tracker) Detector(t event.TriggerRef) *Detector {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.detectors[t] == nil {
		l.detectors[t] = &Detector{
			tracker: l, trigger: t, self: causes{t},
			kinds: map[kind]bool{}, revisions: map[object]string{},
		}
	}
	return l.detectors[t]
}

// add remembers which triggers led to a revision.
func (l *Tracker) add(id string, c causes) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revisions.add(id, c)
}

// causes returns which triggers led to an event, and whether that is known.
func (l *Tracker) causes(id string) (causes, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.revisions.all[id]
	return c, ok
}

// begin notes that a write of at is sent. It is over when the returned function
// is called.
func (l *Tracker) begin(target object) (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.inFlight[target]
	if f == nil {
		f = &inFlight{done: make(chan struct{})}
		l.inFlight[target] = f
	}
	f.writes++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if f.writes--; f.writes == 0 {
			close(f.done)
			delete(l.inFlight, target)
		}
	}
}

// wait waits for the answers to all writes of at that are under way. The error
// is that of ctx, if it ends first.
func (l *Tracker) wait(ctx context.Context, target object) error {
	l.mu.Lock()
	pending := []*inFlight{l.inFlight[target], l.inFlight[object{kind: target.kind}]}
	l.mu.Unlock()
	for _, f := range pending {
		if f == nil {
			continue
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// causes is the triggers whose actions led to something. It is not changed.
type causes []event.TriggerRef

type causesKey struct{}

// WithCauses returns the context for the trigger's action on ev: what is written
// with it counts as led to by whatever led to ev.
func (t *Detector) WithCauses(ctx context.Context, ev event.Event) context.Context {
	causes, _ := t.tracker.causes(ev.ID)
	switch {
	case len(causes) == 0:
		causes = t.self
	case !slices.Contains(causes, t.trigger):
		causes = append(slices.Clip(causes), t.trigger)
	}
	return context.WithValue(ctx, causesKey{}, causes)
}

// causes returns which triggers lead to what is written with ctx.
func (t *Detector) causes(ctx context.Context) causes {
	if c, ok := ctx.Value(causesKey{}).(causes); ok {
		return c
	}
	return t.self
}

// Circular reports whether an action of the trigger led to ev, by itself or
// through other triggers. Of what other processes wrote as triggers, which is
// not known, it says so. It is asked after Own.
func (t *Detector) Circular(ev event.Event) bool {
	causes, known := t.tracker.causes(ev.ID)
	if known {
		return slices.Contains(causes, t.trigger)
	}
	return strings.HasPrefix(ev.Writer, managerPrefix)
}

// ring holds what was added last, by name.
type ring[V any] struct {
	all   map[string]V
	order []string
	next  int
}

func (r *ring[V]) add(name string, v V) {
	if r.all == nil {
		r.all = map[string]V{}
	}
	_, exists := r.all[name]
	r.all[name] = v
	if exists {
		return
	}
	if len(r.order) < maxRevisions {
		r.order = append(r.order, name)
		return
	}
	delete(r.all, r.order[r.next])
	r.order[r.next] = name
	r.next = (r.next + 1) % maxRevisions
}
