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
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
)

const (
	// LoopLimit is the maximum number of events of one key, caused by the
	// trigger's own actions, that the trigger acts on within LoopWindow. Further
	// ones are dead-lettered until the window ends.
	LoopLimit = 30
	// LoopWindow starts at the first such event.
	LoopWindow = time.Minute
)

var errLoop = fmt.Errorf("trigger loop: the trigger's own actions caused more than %d events of the object within %s", LoopLimit, LoopWindow)

// A LoopDetector reports which events a trigger caused. It is safe for concurrent
// use.
type LoopDetector interface {
	// OwnWrite reports whether the trigger's own action caused ev. True must be
	// certain. It may wait for running actions; if ctx ends first, it returns
	// ctx's error.
	OwnWrite(ctx context.Context, ev event.Event) (bool, error)
	// Circular reports whether the trigger's own action probably caused ev,
	// directly or through other triggers. writer is the field manager of the last
	// write, if it is known. It is called after OwnWrite.
	Circular(ev event.Event, writer string) bool
	// WithCauses returns the context for the trigger's action on ev.
	WithCauses(ctx context.Context, ev event.Event) context.Context
}

// dropOwnWrite is the stage that drops events that the trigger caused itself.
func (r *runner) dropOwnWrite(ctx context.Context, t *task) result {
	own, err := r.trigger.LoopDetector.OwnWrite(ctx, *t.event())
	if err != nil {
		return result{next: stopped}
	}
	if own && !r.trigger.Policy.AllowSelfTrigger {
		r.report.decision(r.newDecision(t.event(), Suppressed, ReasonOwnWrite))
		return result{next: finished}
	}
	return result{next: proceed}
}

// loop counts the circular events of one key since start.
type loop struct {
	start time.Time
	count int
}

// breakLoop is the stage that dead-letters circular events beyond LoopLimit.
// Events with an external cause always pass.
func (r *runner) breakLoop(_ context.Context, t *task) result {
	if t.external || !r.trigger.LoopDetector.Circular(*t.event(), t.lastWriter()) || r.countLoop(t.event().OrderingKey()) {
		return result{next: proceed}
	}
	f := t.failure(r.trigger.TriggerRef, errLoop)
	f.First, f.Last = r.clock.Now(), r.clock.Now()
	r.deadLetter(t, f, ReasonLoopBroken)
	return result{next: finished}
}

// countLoop counts one event of the key and reports whether it is within
// LoopLimit.
func (r *runner) countLoop(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	if now.Sub(r.loopsSweptAt) >= LoopWindow {
		r.loopsSweptAt = now
		for k, l := range r.loops {
			if now.Sub(l.start) >= LoopWindow {
				delete(r.loops, k)
			}
		}
	}
	l := r.loops[key]
	if now.Sub(l.start) >= LoopWindow {
		l = loop{start: now}
	}
	l.count++
	r.loops[key] = l
	return l.count <= LoopLimit
}
