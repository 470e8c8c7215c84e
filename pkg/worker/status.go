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
	// recoveryPeriod is how long after a source was started again it counts as
	// working.
	recoveryPeriod = 3 * time.Second
	// loopBrokenPeriod is how long a broken loop shows.
	loopBrokenPeriod = 2 * engine.LoopWindow
)

// Status knows what the triggers of a TriggerService do. It observes the
// engine that runs them.
type Status struct {
	clock        clock.PassiveClock
	reportsState func(sourceType string) bool
	// ready holds a token when the sources of triggers that have begun work.
	ready chan struct{}

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
	// hasFilter is set where the trigger has a filter, which says what matches.
	hasFilter bool
	// key is that of its subscription.
	key string
	// starting is set until its source has said whether it works.
	starting bool
	// watchErr is why its source waits, nil where it does not.
	watchErr error
	// clusterErr is what it does not hear of, nil where it hears of all.
	clusterErr error
	// sourceErr is why its source failed last, and until when that holds.
	sourceErr      error
	sourceErrUntil time.Time
	loopBrokenAt   time.Time
}

// NewStatus goes on counting where ts says. tells is whether sources of a type
// call Waits.
func NewStatus(ts *v1alpha1.TriggerService, c clock.PassiveClock, reportsState func(sourceType string) bool) *Status {
	s := &Status{clock: c, reportsState: reportsState, triggers: map[string]*triggerState{}, ready: make(chan struct{}, 1)}
	for _, t := range ts.Status.Triggers {
		s.triggers[t.Name] = &triggerState{status: t}
	}
	return s
}

// SetTriggers says what runs from now on, of config. What is known of triggers that are
// no longer there is forgotten.
func (s *Status) SetTriggers(config Config, triggers []trigger.Compiled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.triggers
	s.generation, s.order, s.triggers, s.quarantines = config.Service.Generation, nil, map[string]*triggerState{}, nil
	for i, t := range triggers {
		known := &triggerState{hasFilter: t.Filter != nil, status: v1alpha1.TriggerStatus{State: v1alpha1.TriggerRunning}}
		if old, ok := before[t.Name]; ok {
			known.status = old.status
			known.status.State, known.status.Reason, known.status.Message = v1alpha1.TriggerRunning, "", ""
		}
		known.status.Name = t.Name
		switch {
		case len(t.Problems) > 0:
			known.status.State, known.status.Reason = v1alpha1.TriggerInvalid, v1alpha1.TriggerReasonInvalid
			known.status.Message = truncate(t.Problems.Error(), maxText)
			if config.Reject(i, t.Name) != "" {
				known.status.Reason = v1alpha1.TriggerReasonRefused
			}
		case t.Suspended:
			known.status.State = v1alpha1.TriggerSuspended
		default:
			known.starting = s.reportsState(t.SourceType)
		}
		if t.Subscription != nil {
			known.key = t.Subscription.Key()
		}
		s.order = append(s.order, t.Name)
		s.triggers[t.Name] = known
	}
	s.signalReady()
}

// signalReady wakes the reporter when no trigger is starting. The lock is held.
func (s *Status) signalReady() {
	for _, t := range s.triggers {
		if t.starting {
			return
		}
	}
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// SetEngine says whom to ask for quarantines.
func (s *Status) SetEngine(e *engine.Engine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quarantines = e.Quarantines
}

// ObserveWatch says that the sources of a key wait, and why; nil that they work.
func (s *Status) ObserveWatch(key string, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	started := false
	for _, t := range s.triggers {
		if t.key == key {
			started = started || t.starting
			t.starting, t.watchErr, t.sourceErr = false, why, nil
		}
	}
	if started {
		s.signalReady()
	}
}

// ObserveClusters says of which clusters a trigger does not hear, a *clusters.Away, or that it
// hears of all that it asks for.
func (s *Status) ObserveClusters(id event.TriggerRef, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.triggers[id.Name]; t != nil {
		t.starting, t.clusterErr, t.sourceErr = false, why, nil
		s.signalReady()
	}
}

// Observe implements engine.Observer.
func (s *Status) Observe(d engine.Decision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.triggers[d.Trigger.Name]
	if t == nil || d.Outcome == engine.Queued || d.Outcome == engine.Requeued {
		return
	}
	status, now := &t.status, metav1.NewTime(d.Time)
	status.LastEventTime = &now
	if !t.hasFilter && d.Attempt == 1 {
		status.Matched++
	}
	switch d.Outcome {
	case engine.Matched:
		status.Matched++
	case engine.Filtered:
		status.Filtered++
	case engine.Succeeded:
		status.Acted++
		status.LastActionTime = &now
	case engine.Failed, engine.Skipped, engine.DeadLettered:
		if d.Attempt > 0 {
			status.Failed++
		}
		if d.Outcome == engine.DeadLettered {
			status.DeadLetters++
		}
		if d.Reason == engine.ReasonLoopBroken {
			t.loopBrokenAt = d.Time
		}
		status.LastError, status.LastErrorTime = truncate(fmt.Sprint(d.Err), maxText), &now
	}
}

// ObserveSource implements engine.SourceObserver.
func (s *Status) ObserveSource(f engine.SourceFailure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range f.Triggers {
		if t := s.triggers[id.Name]; t != nil {
			t.starting, t.sourceErr, t.sourceErrUntil = false, f.Err, f.Time.Add(f.RetryIn+recoveryPeriod)
		}
	}
	s.signalReady()
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
	case t.watchErr != nil:
		reason := v1alpha1.TriggerReasonSourceFailed
		if meta.IsNoMatchError(t.watchErr) {
			reason = v1alpha1.TriggerReasonKindNotFound
		}
		return v1alpha1.TriggerWaiting, reason, truncate(t.watchErr.Error(), maxText)
	case t.sourceErr != nil && now.Before(t.sourceErrUntil):
		reason := v1alpha1.TriggerReasonSourceFailed
		if status := apierrors.APIStatus(nil); errors.As(t.sourceErr, &status) && status.Status().Reason == metav1.StatusReasonForbidden {
			reason = v1alpha1.TriggerReasonForbidden
		}
		return v1alpha1.TriggerWaiting, reason, truncate(t.sourceErr.Error(), maxText)
	case t.clusterErr != nil:
		return clusterState(t.clusterErr)
	case !t.loopBrokenAt.IsZero() && now.Sub(t.loopBrokenAt) < loopBrokenPeriod:
		return v1alpha1.TriggerRunning, v1alpha1.TriggerReasonLoopBroken,
			"triggers keep causing events of an object; some are not acted on: " + t.status.LastError
	}
	return v1alpha1.TriggerRunning, "", ""
}

// clusterState says what a trigger does that does not hear of some clusters.
func clusterState(why error) (state v1alpha1.TriggerState, reason, message string) {
	message = truncate(why.Error(), maxText)
	if some := (*multicluster.UnavailableError)(nil); errors.As(why, &some) && some.Ready > 0 {
		return v1alpha1.TriggerRunning, v1alpha1.TriggerReasonClusterUnreachable, message
	}
	if status := apierrors.APIStatus(nil); errors.As(why, &status) && status.Status().Reason == metav1.StatusReasonForbidden {
		return v1alpha1.TriggerWaiting, v1alpha1.TriggerReasonForbidden, message
	}
	return v1alpha1.TriggerWaiting, v1alpha1.TriggerReasonClusterUnreachable, message
}

// truncate cuts a text that is longer than most.
func truncate(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

var _ engine.Observer = (*Status)(nil)
var _ engine.SourceObserver = (*Status)(nil)
