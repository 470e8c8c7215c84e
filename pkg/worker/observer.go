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
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// rejections are rejected requests: how many, and the last one.
type rejections struct {
	count   int64
	message string
	time    time.Time
}

// ObserveWatch records the state of all subscriptions with the given key: err is the
// reason why the watch waits, or nil if it runs.
func (s *Status) ObserveWatch(key string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	started := false
	for _, t := range s.triggers {
		if t.key == key {
			started = started || t.starting
			t.starting, t.watchErr, t.sourceErr = false, err, nil
		}
	}
	if started {
		s.signalReady()
	}
}

// ObserveClusters records the state of a trigger that watches several clusters: err
// lists the clusters that cannot be watched, as a *multicluster.UnavailableError, or
// is nil if all are.
func (s *Status) ObserveClusters(id event.TriggerRef, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.triggers[id.Name]; t != nil {
		t.starting, t.clusterErr, t.sourceErr = false, err, nil
		s.signalReady()
	}
}

// ObserveRejection records that the webhook of a trigger has rejected a request. The status
// shows it within rejectionInterval.
func (s *Status) ObserveRejection(id event.TriggerRef, message string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.triggers[id.Name]; t != nil {
		t.rejections = rejections{t.rejections.count + 1, message, at}
	}
}

// showRejections adds the rejected requests to the status of each trigger, unless that was
// done within the last rejectionInterval. s.mu must be held.
func (s *Status) showRejections() {
	now, shown := s.clock.Now(), false
	if now.Sub(s.rejectionsShownAt) < rejectionInterval {
		return
	}
	for _, t := range s.triggers {
		if t.rejections.count == 0 {
			continue
		}
		at := metav1.NewTime(t.rejections.time)
		t.status.RejectedRequests += t.rejections.count
		t.status.LastRejection, t.status.LastRejectionTime = diag.Truncate(t.rejections.message, maxRejection), &at
		t.rejections, shown = rejections{}, true
	}
	if shown {
		s.rejectionsShownAt = now
	}
}

// Observe implements engine.Observer.
func (s *Status) Observe(d engine.Decision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.triggers[d.Trigger.Name]
	if t == nil || d.Outcome == engine.Queued || d.Outcome == engine.Reloaded || d.Outcome == engine.Requeued {
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
		status.Succeeded++
		if d.Reason != "" {
			status.Unchanged++
		}
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
		status.LastError, status.LastErrorTime = diag.Truncate(fmt.Sprint(d.Err), maxText), &now
	}
}

// ObserveSource implements engine.Observer.
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

// ObserveDeadLetter implements engine.Observer. Dead letters are counted by their
// decisions.
func (*Status) ObserveDeadLetter(engine.DeadLetterResult) {}
