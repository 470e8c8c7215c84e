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

// patience is how long one use of the store may take.
const patience = 10 * time.Second

// Engine runs triggers. *engine.Engine is one.
type Engine interface {
	Deliver(ctx context.Context, t event.Trigger, ev event.Event, done func()) error
	Running() bool
}

// Replayer replays what is asked for. All fields are required.
type Replayer struct {
	Letters store.Letters
	Engine  Engine
	// Complete returns an event whose data is no more than its object's name with
	// the object as it is now.
	Complete func(ctx context.Context, ev event.Event) (event.Event, error)
	// Every is how often the store is asked, and Kick asks it at once.
	Every time.Duration
	Kick  <-chan struct{}
	Clock clock.WithTicker

	mu sync.Mutex
	// running are the IDs of letters that are with their triggers.
	running map[string]bool
	// settling are the letters that are being discarded.
	settling sync.WaitGroup
}

// Run replays until ctx ends, which is to be after the end of the engine.
func (r *Replayer) Run(ctx context.Context) {
	log := logr.FromContextOrDiscard(ctx)
	tick := r.Clock.NewTicker(r.Every)
	defer tick.Stop()
	defer r.settling.Wait()
	for {
		if r.Engine.Running() {
			if err := r.pass(ctx); err != nil && ctx.Err() == nil {
				log.Error(err, "Dead letters not replayed; trying again")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C():
		case <-r.Kick:
		}
	}
}

// pass replays all that is asked for and not under way.
func (r *Replayer) pass(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ids, err := r.Letters.Asked(asking)
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
	reading, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l, err := r.Letters.Letter(reading, id)
	if err != nil {
		if errors.Is(err, store.ErrNotFound) {
			r.end(id)
			return nil
		}
		return err
	}
	ev := l.Event
	if l.Omitted != "" {
		if ev, err = r.Complete(reading, ev); err != nil {
			return r.bury(reading, l, err)
		}
	}
	// What became of it, whoever handles it finds in the log.
	err = r.Engine.Deliver(ctx, l.Trigger, ev, func() { r.settle(ctx, id) })
	switch {
	case err == nil:
		logr.FromContextOrDiscard(ctx).Info("Dead letter replayed", "id", id, "trigger", l.Trigger.String(), "event", ev.ID)
		return nil
	case errors.Is(err, engine.ErrNotRunning):
		return r.bury(reading, l, err)
	case errors.Is(err, engine.ErrSuspended):
		r.end(id) // It is asked for until the trigger goes on.
		return nil
	}
	return err
}

// bury says in the letter why it was not replayed.
func (r *Replayer) bury(ctx context.Context, l store.Letter, why error) error {
	defer r.end(l.ID)
	l.Reason, l.Error = ReasonFailed, why.Error()
	_, err := r.Letters.Bury(ctx, l)
	return err
}

// settle discards a letter that its trigger is done with. It must not block.
func (r *Replayer) settle(ctx context.Context, id string) {
	r.settling.Go(func() {
		defer r.end(id)
		// What is done is done, even if the worker stops now.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		l, err := r.Letters.Letter(ctx, id)
		if err == nil && !l.Replay.IsZero() {
			err = r.Letters.Discard(ctx, id)
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
	if r.running[id] {
		return false
	}
	if r.running == nil {
		r.running = map[string]bool{}
	}
	r.running[id] = true
	return true
}

func (r *Replayer) end(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, id)
}
