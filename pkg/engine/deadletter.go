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
	"errors"
	"math/rand/v2"
	"time"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
)

const (
	// deadLetterTimeout is the timeout of one attempt to store a dead letter.
	deadLetterTimeout = 10 * time.Second
	// deadLetterBackoffMax is the longest wait between two attempts, ± Jitter.
	deadLetterBackoffMax = 10 * time.Second
)

// failure describes an event that becomes a dead letter.
type failure struct {
	Event   event.Event
	Trigger event.TriggerRef
	Err     error
	// Attempts is the number of runs of the action; 0 if the filter failed.
	Attempts int
	// First and Last are the start times of the first and the last attempt.
	First, Last time.Time
}

func (t *task) failure(trigger event.TriggerRef, err error) failure {
	return failure{
		Event: *t.event(), Trigger: trigger, Err: err,
		Attempts: t.attempts, First: t.first, Last: t.last,
	}
}

// deadLetter stores the event in the dead-letter store, unless the task is
// already settled. The event is done only once it is stored.
func (r *runner) deadLetter(t *task, f failure, reason string) {
	r.mu.Lock()
	if t.settled {
		r.mu.Unlock()
		return
	}
	t.settled = true
	if r.deadLetters != nil {
		r.storing++
	}
	r.mu.Unlock()

	d := r.newDecision(&f.Event, DeadLettered, reason)
	d.Attempt, d.Err, d.Duration, d.Action = f.Attempts, f.Err, d.Time.Sub(f.Last), action.FailedStep(f.Err)
	r.report.decision(d)
	if r.deadLetters == nil {
		r.complete(t)
		return
	}
	r.sendToDeadLetter(t, store.DeadLetter{
		Trigger: f.Trigger, Event: f.Event, Reason: reason, Error: f.Err.Error(),
		Attempts: f.Attempts, FirstAttempt: f.First, LastAttempt: f.Last,
	})
}

// storeDeadLetter stores d, and retries until it succeeds or the runner closes.
// In the latter case the event is requeued.
func (r *runner) storeDeadLetter(ctx context.Context, t *task, d store.DeadLetter) {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.storing--
		r.checkDrained()
	}()
	backoff := Backoff{Initial: 100 * time.Millisecond, Max: deadLetterBackoffMax, Factor: 2}
	for failures := 1; ; failures++ {
		id, err := r.putDeadLetter(ctx, d)
		stored := DeadLetterResult{Trigger: d.Trigger, ID: id, Err: err, Time: r.clock.Now()}
		if err == nil || errors.Is(err, store.ErrRejected) {
			r.report.deadLetter(stored)
			r.complete(t)
			return
		}
		stored.RetryIn = backoff.delay(failures, rand.Float64())
		r.report.deadLetter(stored)
		timer := r.clock.NewTimer(stored.RetryIn)
		select {
		case <-timer.C():
		case <-r.closing:
			timer.Stop()
			r.report.decision(r.newDecision(&d.Event, Requeued, ReasonStopped))
			return
		}
	}
}

func (r *runner) putDeadLetter(ctx context.Context, d store.DeadLetter) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, deadLetterTimeout)
	defer cancel()
	return r.deadLetters.PutDeadLetter(ctx, d)
}
