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
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

const (
	// maxText is the maximum length of a message or error in the status, in bytes.
	maxText = 2000
	// recoveryPeriod is how long after its restart a source must not fail to count as
	// running.
	recoveryPeriod = 3 * time.Second
	// maxRejection is the maximum length of LastRejection, in bytes.
	maxRejection = 500
	// rejectionInterval is the minimum time between two updates of the rejected requests:
	// strangers cause them, and each is a write to the API server.
	rejectionInterval = time.Minute
	// loopBrokenPeriod is how long the status shows a broken loop.
	loopBrokenPeriod = 2 * engine.LoopWindow
)

// Status collects the state and the counts of a TriggerService's triggers. It observes
// the engine and the sources that run them, and is safe for concurrent use.
type Status struct {
	clock        clock.PassiveClock
	reportsState func(sourceType string) bool
	// ready holds a token once no trigger is starting.
	ready chan struct{}

	mu         sync.Mutex
	generation int64
	order      []string
	triggers   map[string]*triggerState
	// quarantines and pauses are nil if no engine runs.
	quarantines func() []engine.Quarantine
	pauses      func() []engine.Pause
	// blockedReason and blocked are why no trigger runs; "" if they run.
	blockedReason, blocked string
	// suspected is the generation that is suspected of crashing the worker; 0 for none.
	suspected int64
	// ignored returns why the accepted version is ignored, or "". It may be nil.
	ignored func() string
	// storedDeadLetters returns the number of dead letters that are stored. It may be nil.
	storedDeadLetters func() int
	// rejectionsShownAt is the time of the last update of the rejected requests.
	rejectionsShownAt time.Time
}

// triggerState is the state of one trigger.
type triggerState struct {
	// status has the counts and times. Its State, Reason and Message are final for
	// invalid and suspended triggers, and are computed for all others.
	status v1alpha1.TriggerStatus
	// hasFilter is set if the trigger has a filter. Without one the engine reports
	// no Matched decisions, and the first attempt counts as the match.
	hasFilter bool
	// key is the key of its subscription.
	key string
	// objects are the single objects of its subscription; enumerable is set if it has a list
	// of them.
	objects    []string
	enumerable bool
	// starting is set until its source reports a state for the first time.
	starting bool
	// watchErr is the reason why its source waits, or nil.
	watchErr error
	// clusterErr lists the clusters that cannot be watched, or is nil.
	clusterErr error
	// sourceErr is the last failure of its source, shown until sourceErrUntil.
	sourceErr      error
	sourceErrUntil time.Time
	loopBrokenAt   time.Time
	// rejections are the rejected requests that status does not have yet.
	rejections rejections
}

// NewStatus returns a Status whose counts continue from the status of ts.
// reportsState reports whether sources of a type call ObserveWatch or
// ObserveClusters; triggers of other types count as running at once.
func NewStatus(ts *v1alpha1.TriggerService, c clock.PassiveClock, reportsState func(sourceType string) bool) *Status {
	s := &Status{clock: c, suspected: ts.Status.SuspectedGeneration, reportsState: reportsState, triggers: map[string]*triggerState{}, ready: make(chan struct{}, 1)}
	for _, t := range ts.Status.Triggers {
		s.triggers[t.Name] = &triggerState{status: t}
	}
	return s
}

// SetTriggers replaces the triggers by those of config. Counts continue for triggers
// of the same name, and are dropped for all others.
func (s *Status) SetTriggers(config Config, triggers []trigger.Compiled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.triggers
	s.generation, s.order, s.triggers = config.Service.Generation, nil, map[string]*triggerState{}
	s.quarantines, s.pauses, s.blockedReason, s.blocked = nil, nil, "", ""
	switch {
	case s.suspected == s.generation && config.Shared:
		s.blockedReason = v1alpha1.TriggerReasonWorkerCrashed
		s.blocked = "the worker of the namespace ended twice for an unknown reason while the triggers were active; they wait for a worker of their own"
	case config.AccountMissing:
		s.blockedReason = v1alpha1.TriggerReasonAccountNotFound
		s.blocked = fmt.Sprintf("ServiceAccount %s/%s does not exist", config.Service.Namespace, trigger.Account(config.Service))
	}
	for i, t := range triggers {
		st := &triggerState{hasFilter: t.Filter != nil, status: v1alpha1.TriggerStatus{State: v1alpha1.TriggerRunning}}
		if old, ok := before[t.Name]; ok {
			st.status = old.status
			st.status.State, st.status.Reason, st.status.Message = v1alpha1.TriggerRunning, "", ""
			st.rejections = old.rejections
		}
		st.status.Name = t.Name
		switch {
		case len(t.Problems) > 0:
			st.status.State, st.status.Reason = v1alpha1.TriggerInvalid, v1alpha1.TriggerReasonInvalid
			st.status.Message = diag.Truncate(t.Problems.Error(), maxText)
			if config.Reject(i, t.Name, "") != "" {
				st.status.Reason = v1alpha1.TriggerReasonRejected
			}
		case t.Suspended:
			st.status.State = v1alpha1.TriggerSuspended
		default:
			st.starting = s.blocked == "" && s.reportsState(t.SourceType)
		}
		if t.Subscription != nil {
			st.key = t.Subscription.Key()
		}
		if e, ok := t.Subscription.(source.Enumerator); ok {
			st.objects, st.enumerable = e.Objects(), true
		}
		s.order = append(s.order, t.Name)
		s.triggers[t.Name] = st
	}
	s.signalReady()
}

// Suspect records that the worker of the namespace has crashed twice while the given generation
// was active, for an unknown reason. It takes effect with the next SetTriggers.
func (s *Status) Suspect(generation int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.suspected = generation
}

// Blocked reports whether no trigger may run.
func (s *Status) Blocked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blocked != ""
}

// signalReady wakes the reporter if no trigger is starting. s.mu must be held.
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

// SetEngine sets the engine whose quarantines and pauses are reported.
func (s *Status) SetEngine(e *engine.Engine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quarantines, s.pauses = e.Quarantines, e.Pauses
}

// SetStoredDeadLetters sets the function that returns the number of dead letters that are
// stored.
func (s *Status) SetStoredDeadLetters(stored func() int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.storedDeadLetters = stored
}

// SetIgnored sets the function that returns the reason why the accepted version is ignored,
// or "".
func (s *Status) SetIgnored(ignored func() string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ignored = ignored
}

// Current returns the status fields that the worker writes. Conditions are not set.
func (s *Status) Current() v1alpha1.TriggerServiceStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.showRejections()
	quarantined, paused := s.held()
	out := v1alpha1.TriggerServiceStatus{WorkerGeneration: s.generation}
	if s.suspected == s.generation {
		out.SuspectedGeneration = s.suspected
	}
	if s.storedDeadLetters != nil {
		out.StoredDeadLetters = int64(s.storedDeadLetters())
	}
	if s.ignored != nil {
		out.WorkerMessage = diag.Truncate(s.ignored(), maxText)
	}
	running := 0
	for _, name := range s.order {
		t := s.triggers[name]
		status := t.status
		if status.State == v1alpha1.TriggerRunning {
			q, ok := quarantined[name]
			status.State, status.Reason, status.Message = s.state(t, q, ok)
			if p, ok := paused[name]; ok && status.State == v1alpha1.TriggerRunning {
				status.Reason = v1alpha1.TriggerReasonLoopSuspected
				status.State, status.Message = pauseState(p)
			}
		}
		if status.State == v1alpha1.TriggerRunning || status.State == v1alpha1.TriggerSuspended {
			running++
		}
		out.Succeeded += status.Succeeded
		out.DeadLetters += status.DeadLetters
		if l := status.LastActionTime; l != nil && (out.LastActionTime == nil || out.LastActionTime.Before(l)) {
			out.LastActionTime = l
		}
		out.Triggers = append(out.Triggers, status)
	}
	out.ReadyTriggers = fmt.Sprintf("%d/%d", running, len(s.order))
	out.ConfigObjects = s.configObjects()
	return out
}

// configObjects returns the number of single objects that triggers watch; nil if no trigger
// has a list of them. s.mu must be held.
func (s *Status) configObjects() *int64 {
	objects, enumerable := map[string]bool{}, false
	for _, t := range s.triggers {
		enumerable = enumerable || t.enumerable
		for _, o := range t.objects {
			objects[o] = true
		}
	}
	if !enumerable {
		return nil
	}
	return ptr.To(int64(len(objects)))
}

var _ engine.Observer = (*Status)(nil)
