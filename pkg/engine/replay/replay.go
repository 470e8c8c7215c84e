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

// Package replay delivers dead letters to their triggers again, on request.
//
// A dead letter stays in the store until its trigger is done with the event. Then
// it is deleted, unless the event was dead-lettered again. After a crash the
// request is still stored, and the replay is repeated.
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
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// ReasonFailed is the reason of a dead letter that could not be delivered to its
// trigger.
const ReasonFailed = "ReplayFailed"

// storeTimeout is the timeout of one operation of the store.
const storeTimeout = 10 * time.Second

// Engine delivers events to running triggers, as *engine.Engine does.
type Engine interface {
	Deliver(ctx context.Context, t event.TriggerRef, ev event.Event, d source.Delivery) error
	Running() bool
}

// Replayer replays dead letters on request. All fields are required.
type Replayer struct {
	DeadLetters store.DeadLetters
	Engine      Engine
	// Complete returns the event of l, which was not stored as a whole, with as much of the current
	// state of its object as the trigger needs. metadataOnly is that of the event's source.Delivery.
	Complete func(ctx context.Context, l store.DeadLetter) (ev event.Event, metadataOnly bool, err error)
	// Interval is the time between two polls of the store. Wake triggers a poll
	// at once.
	Interval time.Duration
	Wake     <-chan struct{}
	Clock    clock.WithTicker

	mu sync.Mutex
	// inProgress is the set of dead letters that were delivered and are not done.
	inProgress map[string]bool
	// deleting waits for deletions of replayed dead letters.
	deleting sync.WaitGroup
}

// Run polls the store until ctx ends. ctx must end after the engine has stopped.
func (r *Replayer) Run(ctx context.Context) {
	log := logr.FromContextOrDiscard(ctx)
	tick := r.Clock.NewTicker(r.Interval)
	defer tick.Stop()
	defer r.deleting.Wait()
	for {
		if r.Engine.Running() {
			if err := r.replayRequested(ctx); err != nil && ctx.Err() == nil {
				log.Error(err, "Replay of dead letters failed; retrying")
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

// replayRequested replays all requested dead letters that are not in progress.
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

// replay delivers one dead letter to its trigger. If that is impossible, it
// stores the error in the dead letter.
func (r *Replayer) replay(ctx context.Context, id string) error {
	readCtx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	l, err := r.DeadLetters.Get(readCtx, id)
	if err != nil {
		if errors.Is(err, store.ErrNotFound) {
			r.end(id)
			return nil
		}
		return err
	}
	ev, d := l.Event, source.Delivery{Done: func() { r.deleteReplayed(ctx, id) }}
	if l.Omitted != "" {
		if ev, d.MetadataOnly, err = r.Complete(readCtx, l); err != nil {
			return r.markFailed(readCtx, l, err)
		}
	}
	ev.Replay = l.StoredAt.UTC().Format(time.RFC3339Nano)
	// The engine logs the outcome.
	err = r.Engine.Deliver(ctx, l.Trigger, ev, d)
	switch {
	case err == nil:
		logr.FromContextOrDiscard(ctx).Info("Dead letter replayed", "id", id, "trigger", l.Trigger.String(), "event", ev.ID)
		return nil
	case errors.Is(err, engine.ErrNotRunning):
		return r.markFailed(readCtx, l, err)
	case errors.Is(err, engine.ErrSuspended):
		r.end(id) // The request stays until the trigger resumes.
		return nil
	}
	return err
}

// markFailed stores cause as the reason why the dead letter was not replayed. A request to fire a
// trigger has an ID of its own, and is deleted.
func (r *Replayer) markFailed(ctx context.Context, l store.DeadLetter, cause error) error {
	defer r.end(l.ID)
	l.Reason, l.Error = ReasonFailed, cause.Error()
	id, err := r.DeadLetters.Put(ctx, l)
	if err == nil && id != l.ID {
		if err = r.DeadLetters.Delete(ctx, l.ID); errors.Is(err, store.ErrNotFound) {
			err = nil // deleted meanwhile, or evicted
		}
	}
	return err
}

// deleteReplayed deletes a dead letter whose event is done. It does not block.
func (r *Replayer) deleteReplayed(ctx context.Context, id string) {
	r.deleting.Go(func() {
		defer r.end(id)
		// Delete even if the worker is stopping: the event is done.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		defer cancel()
		l, err := r.DeadLetters.Get(ctx, id)
		if err == nil && !l.ReplayRequestedAt.IsZero() {
			err = r.DeadLetters.Delete(ctx, id)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			logr.FromContextOrDiscard(ctx).Error(err, "Dead letter not deleted after its replay", "id", id)
		}
	})
}

// begin marks a dead letter as in progress. It returns false if it already is.
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
