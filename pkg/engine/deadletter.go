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

	"github.com/kubevela/kube-trigger/pkg/store"
)

const (
	// deadLetterTimeout is the timeout of one attempt to store a dead letter.
	deadLetterTimeout = 10 * time.Second
	// deadLetterBackoffMax is the longest wait between two attempts, ± Jitter.
	deadLetterBackoffMax = 10 * time.Second
)

// DeadLetters stores dead letters, as store.DeadLetters does.
type DeadLetters interface {
	Put(ctx context.Context, l store.DeadLetter) (id string, err error)
}

// deadLetterer dead-letters events of one trigger.
type deadLetterer struct {
	runner *runner
	// store is nil if dead letters are only logged.
	store DeadLetters
	// startPut runs put in a goroutine of its own.
	startPut func(t *Task, l store.DeadLetter)
}

// add reports the decision and stores the event in the dead-letter store, unless
// the task is already settled. The event is done only once it is stored.
func (d *deadLetterer) add(t *Task, res Result) {
	if !t.settle() {
		return
	}
	r, a := d.runner, t.attempted()
	if a.total == 0 {
		a.first, a.last = res.start, res.start
		if res.start.IsZero() {
			a.first, a.last = r.clock.Now(), r.clock.Now()
		}
	}
	decision := r.newDecision(t.Event(), DeadLettered, res.reason)
	decision.Attempt, decision.Err, decision.Duration, decision.Action = a.total, res.err, decision.Time.Sub(a.last), failedStep(res.err)
	r.report.decision(decision)
	if d.store == nil {
		r.complete(t)
		return
	}
	r.active.add()
	var omitted store.Omission
	switch delivery := t.delivery.Load(); {
	case delivery.unloaded:
		omitted = store.OmittedSize
	case delivery.options.MetadataOnly:
		omitted = store.OmittedUnneeded
	}
	d.startPut(t, store.DeadLetter{
		Trigger: r.trigger.TriggerRef, Event: *t.Event(), Reason: res.reason, Error: res.err.Error(),
		Omitted: omitted, Attempts: a.total, FirstAttempt: a.first, LastAttempt: a.last,
	})
}

// put stores l, and retries until it succeeds or the runner closes. In the latter
// case the event is requeued.
func (d *deadLetterer) put(ctx context.Context, t *Task, l store.DeadLetter) {
	r := d.runner
	defer r.active.remove()
	backoff := Backoff{Initial: 100 * time.Millisecond, Max: deadLetterBackoffMax, Factor: 2}
	for failures := 1; ; failures++ {
		id, err := d.putOnce(ctx, l)
		result := DeadLetterResult{Trigger: l.Trigger, ID: id, Err: err, Time: r.clock.Now()}
		if err == nil || errors.Is(err, store.ErrRejected) {
			r.report.deadLetter(result)
			r.complete(t)
			return
		}
		result.RetryIn = backoff.delay(failures, rand.Float64())
		r.report.deadLetter(result)
		timer := r.clock.NewTimer(result.RetryIn)
		select {
		case <-timer.C():
		case <-r.closing:
			timer.Stop()
			r.report.decision(r.newDecision(&l.Event, Requeued, ReasonStopped))
			return
		}
	}
}

func (d *deadLetterer) putOnce(ctx context.Context, l store.DeadLetter) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, deadLetterTimeout)
	defer cancel()
	return d.store.Put(ctx, l)
}
