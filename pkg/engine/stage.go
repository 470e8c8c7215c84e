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
	"time"
)

// A Stage is one step in the handling of an event. It is used by several workers
// concurrently, each with exclusive use of the task's key.
type Stage interface {
	// Handle returns how the handling of t continues.
	Handle(ctx context.Context, t *Task) Result
}

// Result is the result of a stage.
type Result struct {
	next nextStep
	// wait is the duration of a pause, and absorbing is true if the stage merges
	// events that arrive meanwhile.
	wait      time.Duration
	absorbing bool
	// key is the key to which the event moves, for moved.
	key string

	// The following fields describe the final decision, for finished.

	outcome      Outcome
	reason, path string
	err          error
	// warnings are those of an action that succeeded.
	warnings []string
	// start is when the evaluation or the attempt started; zero if there was none.
	start time.Time
}

type nextStep int

const (
	// proceed: continue with the next stage.
	proceed nextStep = iota
	// finished: the trigger is done with the event.
	finished
	// paused: the key waits, without a worker, and then runs the same stage again.
	paused
	// moved: the event continues with the next stage under another key.
	moved
	// stopped: the engine is stopping, and the event is requeued.
	stopped
	// decided: the outcome was decided while the stage was running.
	decided
)

// Proceed continues with the next stage.
func Proceed() Result { return Result{} }

// Suppress drops the event, for a reason that is a CamelCase word.
func Suppress(reason string) Result {
	return Result{next: finished, outcome: Suppressed, reason: reason}
}

// DeadLetter dead-letters the event, for a reason that is a CamelCase word.
func DeadLetter(reason string, err error) Result {
	return Result{next: finished, outcome: DeadLettered, reason: reason, err: err}
}

// pause runs the same stage again after wait.
func pause(wait time.Duration) Result { return Result{next: paused, wait: wait} }

// stop requeues the event.
func stop() Result { return Result{next: stopped} }
