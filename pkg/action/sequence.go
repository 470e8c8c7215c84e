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

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// Step is one action of a Sequence.
type Step struct {
	// Name is the field of `context.results` with the step's result in later steps.
	// Empty if the result is not available.
	Name string
	// Title identifies the step in errors.
	Title string
	// Action was returned by Template.Compile.
	Action Action
	// Optional is set if the next step runs although this one failed permanently.
	Optional bool
}

// Sequence returns an action that runs steps in order. The first failure ends the
// attempt; a retry with the same Journal continues with the failed step. Errors of the
// action are StepErrors.
func Sequence(steps []Step) (Action, error) {
	s := make(sequence, len(steps))
	for i, step := range steps {
		a, ok := step.Action.(chainedAction)
		if !ok {
			return nil, fmt.Errorf("%s: action does not support results", step.Title)
		}
		s[i] = sequenceStep{Step: step, action: a}
	}
	return s, nil
}

// chainedAction is an action that receives the results of earlier actions.
type chainedAction interface {
	runWithResults(ctx context.Context, ev event.Event, results map[string]any) (any, error)
}

type sequence []sequenceStep

type sequenceStep struct {
	Step
	action chainedAction
}

// Run implements Action.
func (s sequence) Run(ctx context.Context, ev event.Event) error {
	p := journalFrom(ctx).sequenceProgress()
	for p.next < len(s) {
		step := s[p.next]
		result, err := step.action.runWithResults(WithJournal(ctx, p.journal), ev, p.results)
		if err != nil {
			p.optional = step.Optional
			return &StepError{Step: step.Title, err: err}
		}
		if step.Name != "" && result != nil {
			p.results[step.Name] = result
		}
		p.advance()
	}
	return nil
}

// StepError is the failure of one step of a Sequence.
type StepError struct {
	// Step is the title of the failed step.
	Step string
	err  error
}

func (e *StepError) Error() string { return e.Step + ": " + e.err.Error() }

func (e *StepError) Unwrap() error { return e.err }

// FailedStep returns the title of the step that failed with err; "" if err is not a
// StepError.
func FailedStep(err error) string {
	if s := (*StepError)(nil); errors.As(err, &s) {
		return s.Step
	}
	return ""
}

// progress is the progress of a Sequence with one event.
type progress struct {
	// next is the index of the next step, journal the journal of that step.
	next    int
	journal *Journal
	// results are the results of the completed steps, by name.
	results map[string]any
	// optional is set if next has failed and is optional.
	optional bool
}

func (p *progress) advance() {
	p.next++
	p.journal, p.optional = NewJournal(), false
}

// sequenceProgress returns the progress, which all attempts share.
func (j *Journal) sequenceProgress() *progress {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.progress == nil {
		j.progress = &progress{journal: NewJournal(), results: map[string]any{}}
	}
	return j.progress
}

// CompletedSteps returns the number of completed or skipped steps of a Sequence; 0 for
// a single action. It must not be called during an attempt.
func (j *Journal) CompletedSteps() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.progress == nil {
		return 0
	}
	return j.progress.next
}

// SkipOptional skips the failed step of a Sequence if it is optional, so that the next
// attempt continues after it. It reports whether it skipped a step, and must not be
// called during an attempt.
func (j *Journal) SkipOptional() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.progress == nil || !j.progress.optional {
		return false
	}
	j.progress.advance()
	return true
}
