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

package webhook

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/go-logr/logr"
	"golang.org/x/sync/semaphore"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// errDedupFull means that a delivery is rejected because it could not be remembered
// for its replay window.
var errDedupFull = fmt.Errorf("%d deliveries are within their replay window: %w", MaxDedupEntries, store.ErrFull)

// startedCursor is the checkpoint's cursor of a hook that has run before.
const startedCursor = "1"

// receiver is the source of one trigger. It stores the events of the hook's requests
// and delivers stored events.
type receiver struct {
	Options
	*hook
	queue  eventQueue
	loaded bool
	// memory limits the size of the events in memory, in bytes.
	memory *semaphore.Weighted

	mu    sync.Mutex
	dedup dedupCache
	// pending holds the events that are in memory and not yet delivered.
	pending []queuedEvent
	// backlog is set while the queue may hold events that are not in memory.
	backlog bool
	// wake holds a token while there may be events to deliver.
	wake chan struct{}
}

// eventQueue persists events until they are acknowledged. store.Queue implements it.
type eventQueue interface {
	Enqueue(ctx context.Context, ev event.Event) error
	Pending(ctx context.Context, source string) iter.Seq2[event.Event, error]
}

// queuedEvent is an event in memory.
type queuedEvent struct {
	event event.Event
	// size is an estimate, in bytes.
	size int64
}

func newReceiver(o Options, h *hook) *receiver {
	r := &receiver{
		Options: o, hook: h, queue: o.Queue,
		memory:  semaphore.NewWeighted(MaxMemoryBytes),
		dedup:   dedupCache{entries: map[dedupKey]*delivery{}, replayWindow: h.replayWindow},
		backlog: true,
		wake:    make(chan struct{}, 1),
	}
	if o.Queue == nil {
		memory := newMemQueue()
		r.queue, r.Saver = memory, memory
	}
	return r
}

// Run implements source.Source.
func (r *receiver) Run(ctx context.Context, sink source.Sink) error {
	log := logr.FromContextOrDiscard(ctx).WithValues("trigger", r.trigger.String())
	if err := r.run(ctx, log, sink); err != nil && ctx.Err() == nil {
		return fmt.Errorf("webhook %s: %w", r.path, err)
	}
	return nil
}

// run runs with log for what is about the trigger. What is about the server, which triggers
// share, goes to the log of ctx.
func (r *receiver) run(ctx context.Context, log logr.Logger, sink source.Sink) error {
	if err := r.load(logr.NewContext(ctx, log)); err != nil {
		return err
	}
	l, deregister, err := r.Server.register(ctx, r.path, r.trigger.String(), &handler{hook: r.hook, server: r.Server, receiver: r, log: log})
	if err != nil {
		return err
	}
	defer deregister()
	log.Info("webhook accepts requests", "path", r.path)
	ctx, stop := context.WithCancelCause(logr.NewContext(ctx, log))
	defer stop(nil)
	go func() {
		select {
		case <-l.ended:
			stop(l.err)
		case <-ctx.Done():
		}
	}()
	for {
		if err := r.deliver(ctx, sink); err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.wake:
		}
	}
}

// load restores the dedup cache from the checkpoint, once.
func (r *receiver) load(ctx context.Context) error {
	if r.loaded || r.Checkpoints == nil {
		return nil
	}
	saved, err := r.Checkpoints.Load(ctx, r.name())
	if err != nil {
		return err
	}
	if r.FromNow {
		if err := store.AckAll(ctx, r.Queue, r.name()); err != nil {
			return err
		}
	}
	if saved.Cursor == "" {
		// Prune finds queued events by their checkpoint, which is therefore stored
		// first.
		cursor := startedCursor
		if err := r.Checkpoints.Save(ctx, r.name(), store.Change{Cursor: &cursor}); err != nil {
			return err
		}
	}
	r.dedup.restore(saved.Values)
	r.loaded = true
	return nil
}

// receive stores an event. It reports false for a delivery that was received before.
// It returns store.ErrFull or store.ErrRejected as the queue does.
func (r *receiver) receive(ctx context.Context, ev event.Event) (isNew bool, err error) {
	k := newDedupKey(ev.ID)
	d, isNew, err := r.claim(ctx, k)
	if err == nil && !isNew {
		return r.replayDeadLetter(ctx, k, ev)
	}
	if err != nil {
		return false, err
	}
	stored := ev
	stored.Source = r.name()
	// The event is stored even if the client disconnects.
	err = r.enqueue(context.WithoutCancel(ctx), stored)
	r.mu.Lock()
	defer r.mu.Unlock()
	close(d.settled)
	size := memorySize(ev.Data)
	switch {
	case err != nil:
		// The event may be in the store nevertheless.
		delete(r.dedup.entries, k)
		r.backlog = true
	case !r.backlog && r.memory.TryAcquire(size):
		d.state = stateInMemory
		r.pending = append(r.pending, queuedEvent{ev, size})
	default:
		d.state = stateStored
		r.backlog = true
	}
	r.signal()
	return err == nil, err
}

// replayDeadLetter requests the replay of a delivery that is done and became a dead letter.
// It reports whether there is one.
func (r *receiver) replayDeadLetter(ctx context.Context, k dedupKey, ev event.Event) (bool, error) {
	r.mu.Lock()
	d := r.dedup.entries[k]
	done := d != nil && d.state == stateDone
	r.mu.Unlock()
	if !done || r.DeadLetters == nil {
		return false, nil
	}
	err := r.DeadLetters.RequestReplayOf(ctx, r.trigger, ev)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (r *receiver) enqueue(ctx context.Context, ev event.Event) error {
	ctx, cancel := context.WithTimeout(ctx, StoreTimeout)
	defer cancel()
	return r.queue.Enqueue(ctx, ev)
}

// claim adds a new delivery to the dedup cache in stateStoring, and reports false for
// a known one. It waits while the same delivery is being stored.
func (r *receiver) claim(ctx context.Context, k dedupKey) (d *delivery, isNew bool, err error) {
	for {
		r.mu.Lock()
		d, known := r.dedup.entries[k]
		if !known {
			defer r.mu.Unlock()
			if len(r.dedup.entries) >= MaxDedupEntries && !r.evict() {
				return nil, false, errDedupFull
			}
			d = &delivery{settled: make(chan struct{})}
			r.dedup.entries[k] = d
			return d, true, nil
		}
		settled := d.state != stateStoring
		r.mu.Unlock()
		if settled {
			return nil, false, nil
		}
		select {
		case <-d.settled:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}

// evict removes deliveries from the dedup cache and its checkpoint. It reports false
// if none may be removed.
func (r *receiver) evict() bool {
	evicted := r.dedup.evict(r.Clock.Now())
	if len(evicted) == 0 {
		return false
	}
	c := store.Change{Values: map[string][]byte{}}
	for _, k := range evicted {
		c.Values[k.String()] = nil
	}
	r.Saver.Save(r.name(), c)
	return true
}

func (r *receiver) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
