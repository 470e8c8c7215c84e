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

// LoopGuard is the stage that dead-letters events beyond LoopLimit that the
// trigger's own actions caused.
type LoopGuard struct {
	detector LoopDetector

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
	return &LoopGuard{detector: d, windows: map[string]loopWindow{}}
}

// Handle implements Stage. Events with an external cause always pass.
func (g *LoopGuard) Handle(_ context.Context, t *Task) Result {
	if t.external || !g.detector.Circular(*t.Event(), t.Writer()) || g.count(t.Event().OrderingKey(), t.runner.clock.Now()) {
		return Proceed()
	}
	return DeadLetter(ReasonLoopBroken, errLoop)
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
