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

// remembered is how many revisions are remembered, of each trigger and of all
// together.
const remembered = 10_000

// managers is how the field managers of triggers begin.
const managers = "kube-trigger/"

// Log is what all triggers of a process have written.
type Log struct {
	mu        sync.Mutex
	triggers  map[event.Trigger]*Trigger
	revisions ring[chain]
	// flights are the writes whose answers are awaited, by object.
	flights map[object]*flight
}

// flight is one or more writes whose answers are awaited.
type flight struct {
	writes int
	landed chan struct{}
}

// NewLog returns an empty Log.
func NewLog() *Log {
	return &Log{triggers: map[event.Trigger]*Trigger{}, flights: map[object]*flight{}}
}

// Of returns the writes of one trigger, the same for each call.
func (l *Log) Of(t event.Trigger) *Trigger {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.triggers[t] == nil {
		l.triggers[t] = &Trigger{
			log: l, trigger: t, alone: chain{t},
			kinds: map[kind]bool{}, seen: map[object]string{},
		}
	}
	return l.triggers[t]
}

// add remembers which triggers led to a revision.
func (l *Log) add(id string, c chain) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revisions.add(id, c)
}

// led returns which triggers led to an event, and whether that is known.
func (l *Log) led(id string) (chain, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.revisions.all[id]
	return c, ok
}

// begin notes that a write of at is sent. It is over when the returned function
// is called.
func (l *Log) begin(at object) (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.flights[at]
	if f == nil {
		f = &flight{landed: make(chan struct{})}
		l.flights[at] = f
	}
	f.writes++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if f.writes--; f.writes == 0 {
			close(f.landed)
			delete(l.flights, at)
		}
	}
}

// land waits for the answers to all writes of at that are under way. The error
// is that of ctx, if it ends first.
func (l *Log) land(ctx context.Context, at object) error {
	l.mu.Lock()
	waits := []*flight{l.flights[at], l.flights[object{kind: at.kind}]}
	l.mu.Unlock()
	for _, f := range waits {
		if f == nil {
			continue
		}
		select {
		case <-f.landed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// chain is the triggers whose actions led to something. It is not changed.
type chain []event.Trigger

type chainKey struct{}

// Acting returns the context for the trigger's action on ev: what is written
// with it counts as led to by whatever led to ev.
func (t *Trigger) Acting(ctx context.Context, ev event.Event) context.Context {
	led, _ := t.log.led(ev.ID)
	switch {
	case len(led) == 0:
		led = t.alone
	case !slices.Contains(led, t.trigger):
		led = append(slices.Clip(led), t.trigger)
	}
	return context.WithValue(ctx, chainKey{}, led)
}

// led returns which triggers lead to what is written with ctx.
func (t *Trigger) led(ctx context.Context) chain {
	if c, ok := ctx.Value(chainKey{}).(chain); ok {
		return c
	}
	return t.alone
}

// Circular reports whether an action of the trigger led to ev, by itself or
// through other triggers. Of what other processes wrote as triggers, which is
// not known, it says so. It is asked after Own.
func (t *Trigger) Circular(ev event.Event) bool {
	led, known := t.log.led(ev.ID)
	if known {
		return slices.Contains(led, t.trigger)
	}
	return strings.HasPrefix(ev.Writer, managers)
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
	_, there := r.all[name]
	r.all[name] = v
	if there {
		return
	}
	if len(r.order) < remembered {
		r.order = append(r.order, name)
		return
	}
	delete(r.all, r.order[r.next])
	r.order[r.next] = name
	r.next = (r.next + 1) % remembered
}
