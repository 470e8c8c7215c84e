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

// A CrashTracker remembers beyond the end of the process which evaluations of a
// trigger's filter it was in the middle of. It is safe for concurrent use.
type CrashTracker interface {
	// Begin says that the event of that ID is being evaluated, and returns what
	// says that this has ended. Where the process stands still a moment later, it
	// has been said nevertheless.
	Begin(id string) (end func())
	// Fatal reports whether that ended processes, so that it must not begin; for
	// the ID "", whether that holds for all events.
	Fatal(id string) bool
}

var errFatal = errors.New("an evaluation of the trigger's filter has ended processes")

// dropFatal is a stage before the filter: it keeps from it what ends the process.
func (r *runner) dropFatal(_ context.Context, j *task) result {
	if !r.trigger.CrashTracker.Fatal(j.event().ID) {
		return result{next: proceed}
	}
	f := j.failure(r.trigger.TriggerRef, errFatal)
	f.First, f.Last = r.clock.Now(), r.clock.Now()
	r.deadLetter(j, f, ReasonQuarantined)
	return result{next: finished}
}
