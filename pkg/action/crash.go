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

package action

import "context"

// A CrashTracker records which evaluations are running, in a form that survives a crash
// of the process.
type CrashTracker interface {
	// Begin records that the event with the ID id is being evaluated, until end is
	// called.
	Begin(id string) (end func())
}

// evaluation is an evaluation of CUE for one event, which is recorded except during
// calls. Its methods do nothing if it is nil.
type evaluation struct {
	tracker CrashTracker
	id      string
	// end is nil while the evaluation is not recorded.
	end func()
}

type evaluationKey struct{}

func evaluationOf(ctx context.Context) *evaluation {
	e, _ := ctx.Value(evaluationKey{}).(*evaluation)
	return e
}

// Track records an evaluation with tracker until end is called, except while a call is
// made. If tracker is nil and the evaluation is part of a call of an action, it is
// recorded as an evaluation of that action.
func Track(ctx context.Context, tracker CrashTracker, id string) (tracked context.Context, end func()) {
	e := &evaluation{tracker: tracker, id: id}
	if outer := evaluationOf(ctx); tracker == nil && outer != nil {
		e.tracker, e.id = outer.tracker, outer.id
	}
	if e.tracker == nil {
		return ctx, func() {}
	}
	e.resume()
	return context.WithValue(ctx, evaluationKey{}, e), e.pause
}

// pause ends the record.
func (e *evaluation) pause() {
	if e != nil && e.end != nil {
		e.end()
		e.end = nil
	}
}

// resume starts the record.
func (e *evaluation) resume() {
	if e != nil {
		e.end = e.tracker.Begin(e.id)
	}
}
