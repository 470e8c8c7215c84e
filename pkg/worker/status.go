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

package worker

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

const (
	// maxText is the longest message or error in a status, in bytes.
	maxText = 2000
	// recovery is how long after a source was started again it counts as
	// working.
	recovery = 3 * time.Second
	// remembered is how long a broken loop shows.
	remembered = 2 * engine.LoopWindow
)

// Status knows what the triggers of a TriggerService do. It observes the
// engine that runs them.
type Status struct {
	clock clock.PassiveClock
	tells func(sourceType string) bool
	// begun holds a token when the sources of triggers that have begun work.
	begun chan struct{}

	mu         sync.Mutex
	generation int64
	order      []string
	triggers   map[string]*triggerState
	// quarantines asks the engine; nil where none runs.
	quarantines func() []engine.Quarantine
}

// trigger is what is known of one trigger.
type triggerState struct {
	// status has counts and times; State, Reason and Message only where they
	// do not change until the trigger does.
	status v1alpha1.TriggerStatus
	// filters is set where the trigger has a filter, which says what matches.
	filters bool
	// key is that of its subscription.
	key string
	// starting is set until its source has said whether it works.
	starting bool
	// waits is why its source waits, nil where it does not.
	waits error
	// away is what it does not hear of, nil where it hears of all.
	away error
	// failed is why its source failed last, and until when that holds.
	failed error
	until  time.Time
	looped time.Time
}

// NewStatus goes on counting where ts says. tells is whether sources of a type
// call Waits.
func NewStatus(ts *v1alpha1.TriggerService, c clock.PassiveClock, tells func(sourceType string) bool) *Status {
	s := &Status{clock: c, tells: tells, triggers: map[string]*triggerState{}, begun: make(chan struct{}, 1)}
	for _, t := range ts.Status.Triggers {
		s.triggers[t.Name] = &triggerState{status: t}
	}
	return s
}

// Begin says what runs from now on, of config. What is known of triggers that are
// no longer there is forgotten.
func (s *Status) Begin(config Config, triggers []trigger.Compiled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.triggers
	s.generation, s.order, s.triggers, s.quarantines = config.Service.Generation, nil, map[string]*triggerState{}, nil
	for i, t := range triggers {
		known := &triggerState{filters: t.Filter != nil, status: v1alpha1.TriggerStatus{State: v1alpha1.TriggerRunning}}
		if old, ok := before[t.Name]; ok {
			known.status = old.status
			known.status.State, known.status.Reason, known.status.Message = v1alpha1.TriggerRunning, "", ""
		}
		known.status.Name = t.Name
		switch {
		case len(t.Problems) > 0:
			known.status.State, known.status.Reason = v1alpha1.TriggerInvalid, v1alpha1.TriggerReasonInvalid
			known.status.Message = short(t.Problems.Error(), maxText)
			if config.Refuse(i, t.Name) != "" {
				known.status.Reason = v1alpha1.TriggerReasonRefused
			}
		case t.Suspended:
			known.status.State = v1alpha1.TriggerSuspended
		default:
			known.starting = s.tells(t.SourceType)
		}
		if t.Subscription != nil {
			known.key = t.Subscription.Key()
		}
		s.order = append(s.order, t.Name)
		s.triggers[t.Name] = known
	}
	s.signal()
}

// signal wakes the reporter when no trigger is starting. The lock is held.
func (s *Status) signal() {
	for _, t := range s.triggers {
		if t.starting {
			return
		}
	}
	select {
	case s.begun <- struct{}{}:
	default:
	}
}

// Runs says whom to ask for quarantines.
func (s *Status) Runs(e *engine.Engine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quarantines = e.Quarantines
}

// Waits says that the sources of a key wait, and why; nil that they work.
func (s *Status) Waits(key string, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	started := false
	for _, t := range s.triggers {
		if t.key == key {
			started = started || t.starting
			t.starting, t.waits, t.failed = false, why, nil
		}
	}
	if started {
		s.signal()
	}
}

// Away says of which clusters a trigger does not hear, a *clusters.Away, or that it
// hears of all that it asks for.
func (s *Status) Away(id event.Trigger, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.triggers[id.Name]; t != nil {
		t.starting, t.away, t.failed = false, why, nil
		s.signal()
	}
}

// Observe implements engine.Observer.
func (s *Status) Observe(d engine.Decision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.triggers[d.Trigger.Name]
	if t == nil || d.Outcome == engine.Queued || d.Outcome == engine.Returned {
		return
	}
	status, now := &t.status, metav1.NewTime(d.Time)
	status.LastEventTime = &now
	if !t.filters && d.Attempt == 1 {
		status.Matched++
	}
	switch d.Outcome {
	case engine.Matched:
		status.Matched++
	case engine.Filtered:
		status.Filtered++
	case engine.Acted:
		status.Acted++
		status.LastActionTime = &now
	case engine.Failed, engine.Skipped, engine.GivenUp:
		if d.Attempt > 0 {
			status.Failed++
		}
		if d.Outcome == engine.GivenUp {
			status.DeadLetters++
		}
		if d.Reason == engine.ReasonLoopBroken {
			t.looped = d.Time
		}
		status.LastError, status.LastErrorTime = short(fmt.Sprint(d.Err), maxText), &now
	}
}

// ObserveSource implements engine.SourceObserver.
func (s *Status) ObserveSource(f engine.SourceFailure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range f.Triggers {
		if t := s.triggers[id.Name]; t != nil {
			t.starting, t.failed, t.until = false, f.Err, f.Time.Add(f.RetryIn+recovery)
		}
	}
	s.signal()
}

// Current returns the status as the worker writes it: without conditions.
func (s *Status) Current() v1alpha1.TriggerServiceStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	quarantined := map[string]engine.Quarantine{}
	if s.quarantines != nil {
		for _, q := range s.quarantines() {
			quarantined[q.Trigger.Name] = q
		}
	}
	out := v1alpha1.TriggerServiceStatus{WorkerGeneration: s.generation}
	working := 0
	for _, name := range s.order {
		t := s.triggers[name]
		status := t.status
		if status.State == v1alpha1.TriggerRunning {
			q, is := quarantined[name]
			status.State, status.Reason, status.Message = s.state(t, q, is)
		}
		if status.State == v1alpha1.TriggerRunning || status.State == v1alpha1.TriggerSuspended {
			working++
		}
		out.Acted += status.Acted
		out.DeadLetters += status.DeadLetters
		if l := status.LastActionTime; l != nil && (out.LastActionTime == nil || out.LastActionTime.Before(l)) {
			out.LastActionTime = l
		}
		out.Triggers = append(out.Triggers, status)
	}
	out.Working = fmt.Sprintf("%d/%d", working, len(s.order))
	return out
}

// state says what a trigger does that is valid and not suspended.
func (s *Status) state(t *triggerState, q engine.Quarantine, quarantined bool) (state v1alpha1.TriggerState, reason, message string) {
	now := s.clock.Now()
	switch {
	case quarantined:
		what := "its actions do not end"
		if q.Evaluation {
			what = "an evaluation of its filter does not end"
		}
		return v1alpha1.TriggerQuarantined, v1alpha1.TriggerReasonHung, what
	case t.starting:
		return v1alpha1.TriggerWaiting, v1alpha1.TriggerReasonStarting, ""
	case t.waits != nil:
		reason := v1alpha1.TriggerReasonSourceFailed
		if meta.IsNoMatchError(t.waits) {
			reason = v1alpha1.TriggerReasonKindNotFound
		}
		return v1alpha1.TriggerWaiting, reason, short(t.waits.Error(), maxText)
	case t.failed != nil && now.Before(t.until):
		reason := v1alpha1.TriggerReasonSourceFailed
		if status := apierrors.APIStatus(nil); errors.As(t.failed, &status) && status.Status().Reason == metav1.StatusReasonForbidden {
			reason = v1alpha1.TriggerReasonForbidden
		}
		return v1alpha1.TriggerWaiting, reason, short(t.failed.Error(), maxText)
	case t.away != nil:
		return away(t.away)
	case !t.looped.IsZero() && now.Sub(t.looped) < remembered:
		return v1alpha1.TriggerRunning, v1alpha1.TriggerReasonLoopBroken,
			"triggers keep causing events of an object; some are not acted on: " + t.status.LastError
	}
	return v1alpha1.TriggerRunning, "", ""
}

// away says what a trigger does that does not hear of some clusters.
func away(why error) (state v1alpha1.TriggerState, reason, message string) {
	message = short(why.Error(), maxText)
	if some := (*multicluster.Away)(nil); errors.As(why, &some) && some.Working > 0 {
		return v1alpha1.TriggerRunning, v1alpha1.TriggerReasonClusterUnreachable, message
	}
	if status := apierrors.APIStatus(nil); errors.As(why, &status) && status.Status().Reason == metav1.StatusReasonForbidden {
		return v1alpha1.TriggerWaiting, v1alpha1.TriggerReasonForbidden, message
	}
	return v1alpha1.TriggerWaiting, v1alpha1.TriggerReasonClusterUnreachable, message
}

// short cuts a text that is longer than most.
func short(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

var _ engine.Observer = (*Status)(nil)
var _ engine.SourceObserver = (*Status)(nil)
