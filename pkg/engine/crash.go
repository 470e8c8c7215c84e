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
	"errors"
)

// A CrashTracker records which evaluations of a trigger's filter are running, in
// a form that survives a crash of the process. It is safe for concurrent use.
type CrashTracker interface {
	// Begin records that the event with the ID id is being evaluated, until end
	// is called. The record survives a crash that follows immediately.
	Begin(id string) (end func())
	// Crashed reports whether the evaluation of the event with the ID id has
	// crashed the process before, so that it must not run again. For the ID "",
	// it reports whether that holds for every event.
	Crashed(id string) bool
}

var errCrashed = errors.New("an evaluation of the trigger's filter has crashed the process")

// CrashGuard is the stage that dead-letters events whose evaluation has crashed
// the process.
type CrashGuard struct{ Tracker CrashTracker }

// Handle implements Stage.
func (g CrashGuard) Handle(_ context.Context, t *Task) Result {
	if g.Tracker.Crashed(t.Event().ID) {
		return DeadLetter(ReasonQuarantined, errCrashed)
	}
	return Proceed()
}
