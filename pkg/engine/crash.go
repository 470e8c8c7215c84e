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
	"slices"
)

// A CrashTracker records which evaluations of a trigger are running, in a form that
// survives a crash of the process. It is safe for concurrent use.
type CrashTracker interface {
	// Begin records that the event with the ID id is being evaluated, until end
	// is called. The record survives a crash that follows immediately.
	Begin(id string) (end func())
	// Crashed reports whether an evaluation of the trigger has crashed the process,
	// so that none must run again.
	Crashed() bool
}

var errCrashed = errors.New("an evaluation of the trigger has crashed the process twice; change its filter or action")

// CrashGuard is the stage that dead-letters the events of a trigger whose evaluation
// has crashed the process.
type CrashGuard struct{ Tracker CrashTracker }

// Handle implements Stage.
func (g CrashGuard) Handle(context.Context, *Task) Result {
	if g.Tracker.Crashed() {
		return DeadLetter(ReasonQuarantined, errCrashed)
	}
	return Proceed()
}

// crashed reports whether an evaluation of t has crashed the process.
func (t Trigger) crashed() bool {
	return slices.ContainsFunc(t.Stages, func(s Stage) bool {
		guard, ok := s.(CrashGuard)
		return ok && guard.Tracker.Crashed()
	})
}
