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

// Package replay hands dead letters back to the triggers that gave them up,
// where that was asked for.
//
// The letter stays in the store until its trigger is done with the event: then it
// is discarded, unless the trigger gave the event up once more. After a crash the
// replay is still asked for, and happens again.
package replay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// ReasonFailed is the reason of a letter whose replay did not get to its trigger.
const ReasonFailed = "ReplayFailed"

// storeTimeout is how long one use of the store may take.
const storeTimeout = 10 * time.Second

// Engine runs triggers. *engine.Engine is one.
type Engine interface {
	Deliver(ctx context.Context, t event.TriggerRef, ev event.Event, done func()) error
	Running() bool
}

// Replayer replays what is asked for. All fields are required.
type Replayer struct {
	DeadLetters store.DeadLetters
	Engine      Engine
	// Complete returns an event whose data is no more than its object's name with
	// the object as it is now.
	Complete func(ctx context.Context, ev event.Event) (event.Event, error)
	// Interval is how often the store is asked, and Kick asks it at once.
	Interval time.Duration
	Wake     <-chan struct{}
	Clock    clock.WithTicker

	mu sync.Mutex
	// inProgress are the IDs of letters that are with their triggers.
	inProgress map[string]bool
	// deleting are the letters that are being discarded.
	deleting sync.WaitGroup
}

// Run replays until ctx ends, which is to be after the end of the engine.
func (r *Replayer) Run(ctx context.Context) {
	log := logr.FromContextOrDiscard(ctx)
	tick := r.Clock.NewTicker(r.Interval)
	defer tick.Stop()
	defer r.deleting.Wait()
	for {
		if r.Engine.Running() {
			if err := r.replayRequested(ctx); err != nil && ctx.Err() == nil {
				log.Error(err, "Dead letters not replayed; trying again")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C():
		case <-r.Wake:
		}
	}
}

// replayRequested replays all that is asked for and not under way.
func (r *Replayer) replayRequested(ctx context.Context) error {
	listCtx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	ids, err := r.DeadLetters.ReplayRequested(listCtx)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		if !r.begin(id) {
			continue
		}
		if err := r.replay(ctx, id); err != nil {
			r.end(id)
			errs = append(errs, fmt.Errorf("replay dead letter %q: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

// replay hands a letter to its trigger. What cannot get there is buried again,
// and says why.
func (r *Replayer) replay(ctx context.Context, id string) error {
	readCtx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	l, err := r.DeadLetters.GetDeadLetter(readCtx, id)
	if err != nil {
		if errors.Is(err, store.ErrNotFound) {
			r.end(id)
			return nil
		}
		return err
	}
	ev := l.Event
	if l.Omitted != "" {
		if ev, err = r.Complete(readCtx, ev); err != nil {
			return r.markFailed(readCtx, l, err)
		}
	}
	// What became of it, whoever handles it finds in the log.
	err = r.Engine.Deliver(ctx, l.Trigger, ev, func() { r.deleteReplayed(ctx, id) })
	switch {
	case err == nil:
		logr.FromContextOrDiscard(ctx).Info("Dead letter replayed", "id", id, "trigger", l.Trigger.String(), "event", ev.ID)
		return nil
	case errors.Is(err, engine.ErrNotRunning):
		return r.markFailed(readCtx, l, err)
	case errors.Is(err, engine.ErrSuspended):
		r.end(id) // It is asked for until the trigger goes on.
		return nil
	}
	return err
}

// markFailed says in the letter why it was not replayed.
func (r *Replayer) markFailed(ctx context.Context, l store.DeadLetter, cause error) error {
	defer r.end(l.ID)
	l.Reason, l.Error = ReasonFailed, cause.Error()
	_, err := r.DeadLetters.PutDeadLetter(ctx, l)
	return err
}

// deleteReplayed discards a letter that its trigger is done with. It must not block.
func (r *Replayer) deleteReplayed(ctx context.Context, id string) {
	r.deleting.Go(func() {
		defer r.end(id)
		// What is done is done, even if the worker stops now.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		defer cancel()
		l, err := r.DeadLetters.GetDeadLetter(ctx, id)
		if err == nil && !l.ReplayRequestedAt.IsZero() {
			err = r.DeadLetters.DeleteDeadLetter(ctx, id)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			logr.FromContextOrDiscard(ctx).Error(err, "Dead letter not discarded after its replay", "id", id)
		}
	})
}

// begin reports whether the letter is not with its trigger yet, and notes that it
// is.
func (r *Replayer) begin(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inProgress[id] {
		return false
	}
	if r.inProgress == nil {
		r.inProgress = map[string]bool{}
	}
	r.inProgress[id] = true
	return true
}

func (r *Replayer) end(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.inProgress, id)
}
