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

// Step is one of several actions that run one after the other.
type Step struct {
	// Name is what later ones see its result under, in `context.results`. Empty:
	// they do not.
	Name string
	// Title names it in errors.
	Title string
	// Action is one that Template.Compile returned.
	Action Action
	// Optional: where it has failed for good, the next one runs.
	Optional bool
}

// Sequence returns an action that runs steps in their order. The first that fails
// ends the attempt; with the same Journal, the next attempt begins with it, and
// those before it are not repeated. Its errors are StepErrors.
func Sequence(steps []Step) (Action, error) {
	s := make(sequence, len(steps))
	for i, step := range steps {
		a, ok := step.Action.(chainedAction)
		if !ok {
			return nil, fmt.Errorf("%s: cannot be one of several actions", step.Title)
		}
		s[i] = sequenceStep{Step: step, action: a}
	}
	return s, nil
}

// chainedAction is an action that can see the results of others.
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

// StepError is the failure of one of several actions.
type StepError struct {
	// Step is the title of the one that failed.
	Step string
	err  error
}

func (e *StepError) Error() string { return e.Step + ": " + e.err.Error() }

func (e *StepError) Unwrap() error { return e.err }

// FailedStep returns the title of the one of several actions that err is about, or
// "".
func FailedStep(err error) string {
	if s := (*StepError)(nil); errors.As(err, &s) {
		return s.Step
	}
	return ""
}

// progress is how far a sequence has got with one event.
type progress struct {
	// next is the index of the step to run, journal its own.
	next    int
	journal *Journal
	// results are those of the steps before it.
	results map[string]any
	// optional: next has failed, and can be left out.
	optional bool
}

func (p *progress) advance() {
	p.next++
	p.journal, p.optional = NewJournal(), false
}

// sequenceProgress returns the progress of a sequence, which is the same for each attempt.
func (j *Journal) sequenceProgress() *progress {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.progress == nil {
		j.progress = &progress{journal: NewJournal(), results: map[string]any{}}
	}
	return j.progress
}

// CompletedSteps returns how many of several actions are done with; 0 for a single one. It
// is not to be called while an attempt runs.
func (j *Journal) CompletedSteps() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.progress == nil {
		return 0
	}
	return j.progress.next
}

// SkipOptional leaves out the one of several actions that failed last, if it may be left
// out: then the next attempt begins after it. It is not to be called while an
// attempt runs.
func (j *Journal) SkipOptional() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.progress == nil || !j.progress.optional {
		return false
	}
	j.progress.advance()
	return true
}
