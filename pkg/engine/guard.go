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
	// LoopLimit is how many events of one key that its own actions led to a trigger
	// acts on within LoopWindow. Further ones are given up for the rest of it.
	LoopLimit = 30
	// LoopWindow begins with the first such event.
	LoopWindow = time.Minute
)

var errLoop = fmt.Errorf("a circle of triggers: this one's own actions led to more than %d events of the object within %s", LoopLimit, LoopWindow)

// A LoopDetector knows which events a trigger causes. It is safe for concurrent use.
type LoopDetector interface {
	// OwnWrite reports whether the trigger's own action caused ev. It must be
	// certain. It may wait for actions until ctx ends, whose error it then
	// returns.
	OwnWrite(ctx context.Context, ev event.Event) (bool, error)
	// Circular reports whether most likely the trigger's own action led to ev,
	// by itself or through other triggers. It is asked after Own.
	Circular(ev event.Event) bool
	// WithCauses returns the context for the trigger's action on ev.
	WithCauses(ctx context.Context, ev event.Event) context.Context
}

// dropOwnWrite is the stage that lets no trigger wake itself.
func (r *runner) dropOwnWrite(ctx context.Context, j *task) result {
	own, err := r.trigger.LoopDetector.OwnWrite(ctx, *j.event())
	if err != nil {
		return result{next: stopped}
	}
	if own && !r.trigger.Policy.AllowSelfTrigger {
		r.report.decision(r.newDecision(j.event(), Suppressed, ReasonOwnWrite))
		return result{next: finished}
	}
	return result{next: proceed}
}

// loop counts the circular events of one key from start on.
type loop struct {
	start time.Time
	count int
}

// breakLoop is the stage that ends a circle of triggers that wake each other.
// What somebody else did always passes.
func (r *runner) breakLoop(_ context.Context, j *task) result {
	if j.external || !r.trigger.LoopDetector.Circular(*j.event()) || r.countLoop(j.event().OrderingKey()) {
		return result{next: proceed}
	}
	f := j.failure(r.trigger.TriggerRef, errLoop)
	f.First, f.Last = r.clock.Now(), r.clock.Now()
	r.deadLetter(j, f, ReasonLoopBroken)
	return result{next: finished}
}

// countLoop reports whether one more event of the key is within LoopLimit.
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
