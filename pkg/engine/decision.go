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
	"errors"
	"time"

	"github.com/go-logr/logr"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
)

// Outcome is the result of one decision about an event.
type Outcome string

// Outcomes. Suppressed, Filtered, Succeeded and DeadLettered are final: the
// trigger is done with the event, or with the event that it was merged into.
// Requeued is final until the event is delivered again.
const (
	// Suppressed: the subscription or a policy drops the event before the filter.
	Suppressed Outcome = "suppressed"
	// Queued: the event waits in its key queue, or because the trigger is paused or has
	// reached its rate limit.
	Queued Outcome = "queued"
	// Reloaded: the event's data, which was dropped while the event waited, was read
	// again.
	Reloaded Outcome = "reloaded"
	// Filtered: the filter did not match.
	Filtered Outcome = "filtered"
	// Matched: the filter matched. The action follows.
	Matched Outcome = "matched"
	// Succeeded: the action succeeded.
	Succeeded Outcome = "succeeded"
	// Waiting: the action waits for a condition, and is run again. It is reported when the
	// error that says so changes.
	Waiting Outcome = "waiting"
	// Failed: an attempt of the action, or to read the event's data again, failed. A
	// retry follows.
	Failed Outcome = "failed"
	// Skipped: an optional step of a sequence of actions failed for good. The
	// next step follows.
	Skipped Outcome = "skipped"
	// DeadLettered: no retry follows. The event becomes a dead letter.
	DeadLettered Outcome = "dead-lettered"
	// Requeued: the engine stopped before the event was done. The source delivers
	// it again.
	Requeued Outcome = "requeued"
)

// Reasons of the engine's own decisions. Subscriptions and filters return theirs.
const (
	// ReasonSuspended: the trigger is suspended.
	ReasonSuspended = "Suspended"
	// ReasonOwnWrite: the trigger's own action caused the event.
	ReasonOwnWrite = "OwnWrite"
	// ReasonDebounced: the event was merged into a later event of the same key.
	ReasonDebounced = "Debounced"
	// ReasonLoopBroken: the trigger's own actions keep causing events of the key.
	ReasonLoopBroken = "LoopBroken"
	// ReasonLoopSuspected: events seem to be caused by the trigger's own actions, which
	// are therefore paused.
	ReasonLoopSuspected = "LoopSuspected"
	// ReasonRateLimited: the event waits until the trigger's rate limit lets its action run.
	ReasonRateLimited = "RateLimited"
	// ReasonGroup: the group of the event cannot be computed.
	ReasonGroup = "GroupFailed"
	// ReasonLatestState: the API server no longer has the state of the event. The data
	// is the object's latest state.
	ReasonLatestState = "LatestState"
	// ReasonObjectGone: the data was dropped, or the action writes the event's object, and
	// the object is gone.
	ReasonObjectGone = "ObjectGone"
	// ReasonObjectReplaced: the action writes the event's object, and another object has
	// its name. That one is not changed.
	ReasonObjectReplaced = "ObjectReplaced"
	// ReasonUnchanged: the action succeeded, and everything was as it was to become.
	ReasonUnchanged = "Unchanged"
	// ReasonReload: the event's data could not be read again.
	ReasonReload = "ReloadFailed"
	// ReasonError: the action failed.
	ReasonError = "ActionFailed"
	// ReasonTimeout: the action timed out.
	ReasonTimeout = "TimedOut"
	// ReasonHung: the action does not stop at its timeout.
	ReasonHung = "Hung"
	// ReasonWaitLimit: the condition that the action waits for was not met in time.
	ReasonWaitLimit = "WaitTimedOut"
	// ReasonTerminal: the action failed with an error that no retry can resolve.
	ReasonTerminal = "TerminalError"
	// ReasonExhausted: no retry is left.
	ReasonExhausted = "RetriesExhausted"
	// ReasonFilter: the filter returned an error.
	ReasonFilter = "FilterFailed"
	// ReasonPanic: the action panicked.
	ReasonPanic = "Panic"
	// ReasonQuarantined: an evaluation of the trigger's CUE does not end, or has
	// crashed the process.
	ReasonQuarantined = "Quarantined"
	// ReasonStopped: the engine stopped.
	ReasonStopped = "Stopped"
)

// Decision is one decision of a trigger about an event. It contains none of the
// event's data.
type Decision struct {
	Trigger event.TriggerRef
	Event   EventRef
	Outcome Outcome
	// Reason is a CamelCase word from a small fixed set; empty for Matched, for Queued
	// unless the trigger is paused or its rate limit is reached, for Succeeded if the action changed something, and for Reloaded if the data is
	// that of the event. For
	// Filtered it is the filter's explanation, a sentence.
	Reason string
	// Path is the path in the event's context that the filter decided by.
	Path string
	// Action is the step that failed, for a sequence of actions: its name, or
	// "actions[1]".
	Action string
	// Attempt is the number of the action's run, from 1; 0 if the action did not
	// run.
	Attempt int
	// RetryIn is the wait before the next attempt. It is set only for Waiting, for Failed, where
	// it is 0 while the attempt is still running past its timeout, and for ReasonRateLimited.
	RetryIn time.Duration
	// Duration is the run time of the filter or of the attempt.
	Duration time.Duration
	// Age is the time since the source received the event.
	Age time.Duration
	// Err is set for Waiting, Failed, Skipped and DeadLettered.
	Err error
	// Warnings are those of an action that succeeded, such as a value that its message
	// lacks.
	Warnings []string
	Time     time.Time
}

// EventRef identifies an event.
type EventRef struct {
	Source, Type, Cluster, Key, ID string
}

// An Observer receives what happens in an engine. Its methods are called
// concurrently and must not block.
type Observer interface {
	// Observe receives every decision, in order for each trigger and key.
	Observe(d Decision)
	// ObserveSource receives the failures of sources.
	ObserveSource(f SourceFailure)
	// ObserveDeadLetter receives the results of storing dead letters.
	ObserveDeadLetter(r DeadLetterResult)
}

// SourceFailure reports that a source failed. The engine restarts it after
// RetryIn.
type SourceFailure struct {
	Source   string
	Triggers []event.TriggerRef
	Err      error
	RetryIn  time.Duration
	Time     time.Time
}

// DeadLetterResult reports an attempt to store a dead letter. If Err is set, the
// engine retries after RetryIn; a RetryIn of 0 means that the store rejected the
// dead letter, and no retry follows.
type DeadLetterResult struct {
	Trigger event.TriggerRef
	// ID is the ID of the stored dead letter.
	ID      string
	Err     error
	RetryIn time.Duration
	Time    time.Time
}

// reporter logs decisions and passes them to the observer.
type reporter struct {
	log logr.Logger
	// observer may be nil.
	observer Observer
}

func (r reporter) decision(d Decision) {
	r.logDecision(d)
	if r.observer != nil {
		r.observer.Observe(d)
	}
}

func (r reporter) sourceFailure(f SourceFailure) {
	r.log.Error(f.Err, "Source failed", "source", f.Source, "triggers", f.Triggers, "retryIn", f.RetryIn)
	if r.observer != nil {
		r.observer.ObserveSource(f)
	}
}

func (r reporter) deadLetter(res DeadLetterResult) {
	if res.Err != nil {
		r.log.Error(res.Err, "Dead letter not stored", "trigger", res.Trigger.String(), "retryIn", res.RetryIn)
	}
	if r.observer != nil {
		r.observer.ObserveDeadLetter(res)
	}
}

func (r reporter) hungActionReturned(t event.TriggerRef, e *event.Event, duration time.Duration) {
	r.log.Info("Hung action returned", "trigger", t.String(), "key", e.Key, "event", e.ID, "duration", duration)
}

func (r reporter) quarantine(t event.TriggerRef, started bool) {
	if started {
		r.log.Error(nil, "Trigger quarantined: its CUE or action does not end", "trigger", t.String())
	} else {
		r.log.Info("Quarantine lifted", "trigger", t.String())
	}
}

func (r reporter) crashed(t event.TriggerRef) {
	r.log.Error(errCrashed, "Trigger quarantined", "trigger", t.String())
}

// pause logs that a trigger was paused, or resumes.
func (r reporter) pause(t event.TriggerRef, started bool) {
	if started {
		r.log.Info("Trigger paused: its events seem to be caused by its own actions", "trigger", t.String(), "reason", ReasonLoopSuspected)
		return
	}
	r.log.Info("Trigger resumed", "trigger", t.String())
}

// contested logs that the events of an object wait, because others have undone that many
// writes of the trigger.
func (r reporter) contested(t event.TriggerRef, key string, undone int) {
	r.log.Info("Events of an object wait: another client undoes each write of the trigger", "trigger", t.String(),
		"key", key, "undone", undone, "reason", ReasonLoopSuspected)
}

func (r reporter) logDecision(d Decision) {
	log := r.log
	if d.Outcome != Succeeded && d.Outcome != Waiting && d.Outcome != Failed && d.Outcome != Skipped && d.Outcome != DeadLettered {
		log = log.V(1)
	}
	if !log.Enabled() && d.Outcome != DeadLettered {
		return
	}
	log = log.WithValues("trigger", d.Trigger.String(), "source", d.Event.Source,
		"type", d.Event.Type, "key", d.Event.Key, "event", d.Event.ID)
	if d.Event.Cluster != "" {
		log = log.WithValues("cluster", d.Event.Cluster)
	}
	switch d.Outcome {
	case Suppressed:
		log.Info("Event suppressed", "reason", d.Reason)
	case Queued:
		log.Info("Event queued", "reason", d.Reason)
	case Reloaded:
		log.Info("Event reloaded", "reason", d.Reason, "duration", d.Duration)
	case Filtered:
		log.Info("Event filtered", "reason", d.Reason, "path", d.Path)
	case Matched:
		log.Info("Event matched")
	case Succeeded:
		if d.Reason != "" {
			log = log.WithValues("reason", d.Reason)
		}
		if len(d.Warnings) > 0 {
			log = log.WithValues("warnings", d.Warnings)
		}
		log.Info("Action succeeded", "attempt", d.Attempt, "duration", d.Duration, "age", d.Age)
	case Waiting:
		log.Info("Action waits", "for", d.Err.Error(), "attempt", d.Attempt, "duration", d.Duration)
	case Failed:
		log.Info("Action failed", "reason", d.Reason, "error", d.Err.Error(),
			"attempt", d.Attempt, "retryIn", d.RetryIn, "duration", d.Duration)
	case Skipped:
		log.Info("Action failed and was skipped", "action", d.Action, "reason", d.Reason, "error", d.Err.Error(),
			"attempt", d.Attempt, "duration", d.Duration)
	case DeadLettered:
		var p *panicerr.Error
		if errors.As(d.Err, &p) {
			log = log.WithValues("stack", string(p.Stack))
		}
		log.Error(d.Err, "Event dead-lettered", "reason", d.Reason, "attempts", d.Attempt)
	case Requeued:
		log.Info("Event requeued", "reason", d.Reason)
	}
}
