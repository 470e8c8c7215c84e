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
	// deadLetterTimeout is how long one attempt to store a dead letter may take.
	deadLetterTimeout = 10 * time.Second
	// deadLetterBackoffMax is the longest wait before the next one, ± Jitter.
	deadLetterBackoffMax = 10 * time.Second
)

// failure is an event that a trigger gives up.
type failure struct {
	Event   event.Event
	Trigger event.TriggerRef
	Err     error
	// Attempts is how often the action was tried; 0 where the filter failed.
	Attempts int
	// First and Last are when the first and the last attempt began.
	First, Last time.Time
}

func (j *task) failure(t event.TriggerRef, err error) failure {
	return failure{
		Event: *j.event(), Trigger: t, Err: err,
		Attempts: j.attempts, First: j.first, Last: j.last,
	}
}

// deadLetter is where every event passes that a trigger gives up, unless it was
// settled before. The trigger is done with it once it is a dead letter.
func (r *runner) deadLetter(j *task, f failure, reason string) {
	r.mu.Lock()
	if j.settled {
		r.mu.Unlock()
		return
	}
	j.settled = true
	if r.deadLetters != nil {
		r.storing++
	}
	r.mu.Unlock()

	d := r.newDecision(&f.Event, DeadLettered, reason)
	d.Attempt, d.Err, d.Duration, d.Action = f.Attempts, f.Err, d.Time.Sub(f.Last), action.FailedStep(f.Err)
	r.report.decision(d)
	if r.deadLetters == nil {
		r.complete(j)
		return
	}
	r.sendToDeadLetter(j, store.DeadLetter{
		Trigger: f.Trigger, Event: f.Event, Reason: reason, Error: f.Err.Error(),
		Attempts: f.Attempts, FirstAttempt: f.First, LastAttempt: f.Last,
	})
}

// storeDeadLetter stores l, and tries until it succeeds or the engine stops. Then j is
// returned.
func (r *runner) storeDeadLetter(ctx context.Context, j *task, l store.DeadLetter) {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.storing--
		r.checkDrained()
	}()
	backoff := Backoff{Initial: 100 * time.Millisecond, Max: deadLetterBackoffMax, Factor: 2}
	for failures := 1; ; failures++ {
		id, err := r.putDeadLetter(ctx, l)
		stored := DeadLetterResult{Trigger: l.Trigger, ID: id, Err: err, Time: r.clock.Now()}
		if err == nil || errors.Is(err, store.ErrRejected) {
			r.report.deadLetter(stored)
			r.complete(j)
			return
		}
		stored.RetryIn = backoff.delay(failures, rand.Float64())
		r.report.deadLetter(stored)
		timer := r.clock.NewTimer(stored.RetryIn)
		select {
		case <-timer.C():
		case <-r.closing:
			timer.Stop()
			r.report.decision(r.newDecision(&l.Event, Requeued, ReasonStopped))
			return
		}
	}
}

func (r *runner) putDeadLetter(ctx context.Context, l store.DeadLetter) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, deadLetterTimeout)
	defer cancel()
	return r.deadLetters.PutDeadLetter(ctx, l)
}
