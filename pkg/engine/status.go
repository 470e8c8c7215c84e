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

package engine

import (
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// Backlog counts the events in progress of one trigger.
type Backlog struct {
	Events int
	// Oldest is the time of the oldest event that is queued, running or waiting
	// for a retry; zero if there is none.
	Oldest time.Time
	// Bytes is the approximate memory of the events' data.
	Bytes int64
	// Unloaded counts the events whose data was dropped, and is read again before they
	// are handled.
	Unloaded int
	// Blocked counts the events, since the engine's start, that waited at their source
	// because the trigger may not hold more bytes.
	Blocked int
}

// Running reports whether the engine accepts events.
func (e *Engine) Running() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.running
}

// Backlogs returns the backlog of each trigger while the engine runs.
func (e *Engine) Backlogs() map[event.TriggerRef]Backlog {
	all := map[event.TriggerRef]Backlog{}
	for _, r := range e.current() {
		all[r.trigger.TriggerRef] = r.backlog()
	}
	return all
}

func (r *runner) backlog() Backlog {
	b := Backlog{
		Events: len(r.slots.used), Bytes: r.memory.held.Load(),
		Unloaded: int(r.memory.unloaded.Load()), Blocked: int(r.memory.blocked.Load()),
	}
	for _, head := range r.queue.heads() { // tasks behind the head are newer
		if t := head.received; !head.settled() && (b.Oldest.IsZero() || t.Before(b.Oldest)) {
			b.Oldest = t
		}
	}
	return b
}

// Quarantines returns the quarantined triggers.
func (e *Engine) Quarantines() []Quarantine {
	var all []Quarantine
	for _, r := range e.current() {
		if r.crashed {
			all = append(all, Quarantine{Trigger: r.trigger.TriggerRef, Since: r.started, Crashed: true})
		} else if q, ok := r.quarantine.state(r.trigger.TriggerRef); ok {
			all = append(all, q)
		}
	}
	return all
}

// Pause reports that a trigger handles only single events, because its events seem to
// be caused by its own actions.
type Pause struct {
	Trigger event.TriggerRef
	// Object is the key of the object whose events wait, because others undo each write
	// of the trigger; empty if all events of the trigger wait.
	Object string
	Since  time.Time
	// Turns is the number of events that followed an action, or of writes that were undone.
	Turns int
	// Waiting is the number of objects whose events wait.
	Waiting int
	// NextProbe is when the next event is handled.
	NextProbe time.Time
}

// Pauses returns the paused triggers.
func (e *Engine) Pauses() []Pause {
	var all []Pause
	for _, r := range e.current() {
		for _, s := range r.trigger.Stages {
			guard, ok := s.(*LoopGuard)
			if !ok {
				continue
			}
			if p, paused := guard.pause(r.trigger.TriggerRef, r.clock.Now()); paused {
				all = append(all, p)
			}
		}
	}
	return all
}

// current returns the runners of the last Run.
func (e *Engine) current() []*runner {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.runners
}
