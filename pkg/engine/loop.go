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
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
)

const (
	// LoopLimit is how often a trigger's own actions may lead back to it, one turn after
	// the other, before the loop is broken or the trigger is paused. It is also the
	// maximum number of events of one key, written by the trigger's own actions, that
	// the trigger acts on within LoopWindow.
	LoopLimit = 30
	// LoopWindow starts at the first such event.
	LoopWindow = time.Minute
)

var errLoop = fmt.Errorf("trigger loop: the trigger's own actions led back to it %d times in a row, or %d times for one object within %s", LoopLimit, LoopLimit, LoopWindow)

// LoopGuard is the stage that ends loops. Events beyond LoopLimit that the trigger's own
// actions are known to have caused are dead-lettered. If events only seem to follow the
// trigger's actions, it pauses the trigger, as circle describes; events of an object whose
// other writers undo what the trigger writes wait, as contests describes.
type LoopGuard struct {
	detector LoopDetector
	circle   circle
	contests contests

	mu sync.Mutex
	// windows counts circular events by key; expired entries were last removed at
	// sweptAt.
	windows map[string]loopWindow
	sweptAt time.Time
}

// loopWindow counts the circular events of one key since start.
type loopWindow struct {
	start time.Time
	count int
}

// NewLoopGuard returns a LoopGuard for one trigger.
func NewLoopGuard(d LoopDetector) *LoopGuard {
	return &LoopGuard{detector: d, windows: map[string]loopWindow{}, contests: contests{all: map[string]*contest{}}}
}

// pause returns the pause of the trigger, and whether there is one.
func (g *LoopGuard) pause(t event.TriggerRef, now time.Time) (Pause, bool) {
	if p, paused := g.circle.state(t, now); paused {
		return p, true
	}
	return g.contests.state(t, now)
}

// Handle implements Stage. While the trigger is paused because of a circle, the updates
// behind t of the same key are merged into t.
func (g *LoopGuard) Handle(ctx context.Context, t *Task) Result {
	r := t.runner
	if t.heldBy != nil && g.circle.merges() {
		merged := func(received time.Time) { r.reportPause(g.circle.observe(t, received, r.clock.Now())) }
		if r.mergeBehind(ctx, t, g.detector, merged) {
			return stop()
		}
	}
	ev := t.Event()
	turns := g.detector.Turns(*ev)
	if t.heldBy == nil && !t.contested && !t.external && g.broken(t, turns) {
		g.circle.restart()
		return DeadLetter(ReasonLoopBroken, errLoop)
	}
	if res := g.contested(ctx, t); res.next != proceed {
		return res
	}
	held := t.heldBy != nil
	may, direct := g.detector.MayCause(*ev)
	wait, change := g.circle.admit(t, r.clock.Now(), link{turns: turns, may: may, direct: direct})
	r.reportPause(change)
	if wait == 0 {
		return Proceed()
	}
	if !held {
		r.report.decision(r.newDecision(ev, Queued, ReasonLoopSuspected))
	}
	return Result{next: paused, wait: wait, absorbing: true}
}

// contested makes t wait if its object is contested.
func (g *LoopGuard) contested(ctx context.Context, t *Task) Result {
	r, ev := t.runner, t.Event()
	key, undone := ev.OrderingKey(), g.detector.Undone(*ev)
	behind := func(after time.Time) int { return r.queue.countBehind(t, key, after) }
	wait, started := g.contests.wait(key, undone, behind, r.clock.Now())
	if wait == 0 {
		return Proceed()
	}
	if started {
		g.circle.restart()
		r.report.contested(r.trigger.TriggerRef, key, undone)
	}
	if !t.contested {
		t.contested = true
		r.report.decision(r.newDecision(ev, Queued, ReasonLoopSuspected))
	}
	merged := func(received time.Time) { g.contests.observe(key, received) }
	if g.contests.merges(key) && r.mergeBehind(ctx, t, g.detector, merged) {
		return stop()
	}
	return Result{next: paused, wait: wait, absorbing: true}
}

// broken reports whether the event of t is known to be part of a loop that exceeds its
// limit.
func (g *LoopGuard) broken(t *Task, turns int) bool {
	if turns > LoopLimit {
		return true
	}
	return g.detector.Circular(*t.Event()) && !g.count(t.Event().OrderingKey(), t.runner.clock.Now())
}

// count counts one event of the key and reports whether it is within LoopLimit.
func (g *LoopGuard) count(key string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Sub(g.sweptAt) >= LoopWindow {
		g.sweptAt = now
		for k, w := range g.windows {
			if now.Sub(w.start) >= LoopWindow {
				delete(g.windows, k)
			}
		}
	}
	w := g.windows[key]
	if now.Sub(w.start) >= LoopWindow {
		w = loopWindow{start: now}
	}
	w.count++
	g.windows[key] = w
	return w.count <= LoopLimit
}
