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

package explain

import (
	"context"
	"fmt"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/observe"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// Decision is what became of an event.
type Decision struct {
	observe.Decision
	// Text says what became of the event, and why.
	Text string `json:"text"`
	// Now is the value of the field that a filter decided by, as the object has it now.
	Now string `json:"now,omitempty"`
}

// describe describes a decision.
func (e Explainer) describe(ctx context.Context, r Rule, d observe.Decision) Decision {
	out := Decision{Decision: d, Text: string(d.Outcome)}
	if why := because(d); why != "" {
		out.Text += ": " + why
	}
	if d.Outcome == engine.Filtered && d.Path != "" {
		out.Now = e.valueNow(ctx, r, d)
	}
	return out
}

// because returns why an event has its outcome.
func because(d observe.Decision) string {
	why, known := reasons()[d.Reason]
	switch {
	case d.Outcome == engine.Filtered:
		why = d.Reason // a sentence
	case !known && d.Reason != "":
		why = d.Reason
	case d.Outcome == engine.Queued && d.Reason == "":
		why = "it waits for its turn"
	case d.Outcome == engine.Matched:
		why = "the filter matched, and the action follows"
	}
	if d.Action != "" {
		why += ", in " + d.Action
	}
	if d.Error != "" {
		why += ": " + d.Error
	}
	switch wait := time.Duration(d.RetryIn * float64(time.Second)).Round(time.Millisecond); {
	case wait == 0:
	case d.Outcome == engine.Queued:
		why += fmt.Sprintf(", for %s", wait)
	default:
		why += fmt.Sprintf("; attempt %d, the next one after %s", d.Attempt, wait)
	}
	return why
}

// reasons returns the meaning of the reasons of decisions.
func reasons() map[string]string {
	return map[string]string{
		string(source.NoChange):     "none of the fields in onChange changed (NoChange)",
		string(source.BeforeStart):  "it happened before the trigger was there (BeforeStart)",
		engine.ReasonSuspended:      "the trigger was suspended (Suspended)",
		engine.ReasonOwnWrite:       "the trigger's own action caused it (OwnWrite)",
		engine.ReasonDebounced:      "a later event of the object stands for it (Debounced)",
		engine.ReasonLoopBroken:     "the trigger's own actions keep leading back to it (LoopBroken)",
		engine.ReasonLoopSuspected:  "it waits, because events seem to follow the trigger's own actions, or another client undoes them (LoopSuspected)",
		engine.ReasonRateLimited:    "it waits until the trigger's rate limit lets the action run (RateLimited)",
		engine.ReasonGroup:          "its group cannot be computed (GroupFailed)",
		engine.ReasonLatestState:    "its data was dropped while it waited, and is the latest state now (LatestState)",
		engine.ReasonObjectGone:     "its object is gone (ObjectGone)",
		engine.ReasonObjectReplaced: "another object has the name of its object (ObjectReplaced)",
		engine.ReasonUnchanged:      "everything was as it was to become (Unchanged)",
		engine.ReasonReload:         "its data was dropped while it waited, and could not be read again (ReloadFailed)",
		engine.ReasonError:          "the action failed (ActionFailed)",
		engine.ReasonTimeout:        "the action timed out (TimedOut)",
		engine.ReasonWaitLimit:      "the condition of the workflow step was not met in time (WaitTimedOut)",
		engine.ReasonHung:           "the action does not stop at its timeout (Hung)",
		engine.ReasonTerminal:       "the action failed, and no retry can mend it (TerminalError)",
		engine.ReasonExhausted:      "the action failed, and no retry is left (RetriesExhausted)",
		engine.ReasonFilter:         "the filter cannot be evaluated (FilterFailed)",
		engine.ReasonPanic:          "the action panicked (Panic)",
		engine.ReasonQuarantined:    "the trigger is quarantined: its CUE does not end, or has ended the worker (Quarantined)",
		engine.ReasonStopped:        "kube-trigger stopped first, and the event comes again (Stopped)",
	}
}
