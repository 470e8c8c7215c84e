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
	// buryTimeout is how long one attempt to store a dead letter may take.
	buryTimeout = 10 * time.Second
	// buryBackoffMax is the longest wait before the next one, ± Jitter.
	buryBackoffMax = 10 * time.Second
)

// Failure is an event that a trigger gives up.
type Failure struct {
	Event   event.Event
	Trigger event.Trigger
	Err     error
	// Attempts is how often the action was tried; 0 where the filter failed.
	Attempts int
	// First and Last are when the first and the last attempt began.
	First, Last time.Time
}

func (j *job) failure(t event.Trigger, err error) Failure {
	return Failure{
		Event: *j.event(), Trigger: t, Err: err,
		Attempts: j.attempts, First: j.first, Last: j.last,
	}
}

// giveUp is where every event passes that a trigger gives up, unless it was
// settled before. The trigger is done with it once it is a dead letter.
func (r *runner) giveUp(j *job, f Failure, reason string) {
	r.mu.Lock()
	if j.settled {
		r.mu.Unlock()
		return
	}
	j.settled = true
	if r.letters != nil {
		r.burials++
	}
	r.mu.Unlock()

	d := r.decide(&f.Event, GivenUp, reason)
	d.Attempt, d.Err, d.Duration, d.Action = f.Attempts, f.Err, d.Time.Sub(f.Last), action.FailedStep(f.Err)
	r.report.decision(d)
	if r.letters == nil {
		r.release(j)
		return
	}
	r.inter(j, store.Letter{
		Trigger: f.Trigger, Event: f.Event, Reason: reason, Error: f.Err.Error(),
		Attempts: f.Attempts, First: f.First, Last: f.Last,
	})
}

// bury stores l, and tries until it succeeds or the engine stops. Then j is
// returned.
func (r *runner) bury(ctx context.Context, j *job, l store.Letter) {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.burials--
		r.checkDrained()
	}()
	backoff := Backoff{Initial: 100 * time.Millisecond, Max: buryBackoffMax, Factor: 2}
	for failures := 1; ; failures++ {
		id, err := r.buryOnce(ctx, l)
		result := Burial{Trigger: l.Trigger, ID: id, Err: err, Time: r.clock.Now()}
		if err == nil || errors.Is(err, store.ErrRefused) {
			r.report.burial(result)
			r.release(j)
			return
		}
		result.RetryIn = backoff.delay(failures, rand.Float64())
		r.report.burial(result)
		timer := r.clock.NewTimer(result.RetryIn)
		select {
		case <-timer.C():
		case <-r.closing:
			timer.Stop()
			r.report.decision(r.decide(&l.Event, Returned, ReasonStopped))
			return
		}
	}
}

func (r *runner) buryOnce(ctx context.Context, l store.Letter) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, buryTimeout)
	defer cancel()
	return r.letters.Bury(ctx, l)
}
