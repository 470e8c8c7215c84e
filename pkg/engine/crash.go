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
	// Fatal reports whether the evaluation of the event with the ID id has
	// crashed the process before, so that it must not run again. For the ID "",
	// it reports whether that holds for every event.
	Fatal(id string) bool
}

var errFatal = errors.New("an evaluation of the trigger's filter has crashed the process")

// dropFatal is the stage before the filter that dead-letters events whose
// evaluation has crashed the process.
func (r *runner) dropFatal(_ context.Context, t *task) result {
	if !r.trigger.CrashTracker.Fatal(t.event().ID) {
		return result{next: proceed}
	}
	f := t.failure(r.trigger.TriggerRef, errFatal)
	f.First, f.Last = r.clock.Now(), r.clock.Now()
	r.deadLetter(t, f, ReasonQuarantined)
	return result{next: finished}
}
