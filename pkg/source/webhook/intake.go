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

// errDedupFull says that a delivery is not taken because it could not be
// remembered for as long as it could be repeated.
var errDedupFull = fmt.Errorf("%d deliveries are to be remembered: %w", MaxDedupEntries, store.ErrFull)

// startedPosition is the position of a hook that has run before.
const startedPosition = "1"

// receiver is the source of one trigger: it stores what its hook takes, and
// delivers what is stored.
type receiver struct {
	Options
	*hook
	queue  eventQueue
	loaded bool
	// memory bounds what is held, in bytes.
	memory *semaphore.Weighted

	mu      sync.Mutex
	dedup   dedupCache
	pending []queuedEvent
	// backlog says that there is more in the store than here.
	backlog bool
	// wake holds a token where there is something to do.
	wake chan struct{}
}

// eventQueue keeps events that were taken until they are done. store.Spool is one.
type eventQueue interface {
	Enqueue(ctx context.Context, ev event.Event) error
	Queued(ctx context.Context, source string) iter.Seq2[event.Event, error]
}

// queuedEvent is an event that is held in memory.
type queuedEvent struct {
	event event.Event
	size  int64
}

func newReceiver(o Options, h *hook) *receiver {
	i := &receiver{
		Options: o, hook: h, queue: o.Queue,
		memory:  semaphore.NewWeighted(MaxMemoryBytes),
		dedup:   dedupCache{entries: map[dedupKey]*delivery{}, replayWindow: h.replayWindow},
		backlog: true,
		wake:    make(chan struct{}, 1),
	}
	if o.Queue == nil {
		memory := newMemQueue()
		i.queue, i.Saver = memory, memory
	}
	return i
}

// Run implements source.Source.
func (i *receiver) Run(ctx context.Context, sink source.Sink) error {
	log := logr.FromContextOrDiscard(ctx).WithValues("trigger", i.trigger.String())
	if err := i.run(logr.NewContext(ctx, log), sink); err != nil && ctx.Err() == nil {
		return fmt.Errorf("webhook %s: %w", i.path, err)
	}
	return nil
}

func (i *receiver) run(ctx context.Context, sink source.Sink) error {
	if err := i.load(ctx); err != nil {
		return err
	}
	log := logr.FromContextOrDiscard(ctx)
	l, leave, err := i.Server.register(ctx, i.path, i.trigger.String(), &handler{hook: i.hook, server: i.Server, receiver: i, log: log})
	if err != nil {
		return err
	}
	defer leave()
	log.Info("webhook takes calls", "path", i.path)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		select {
		case <-l.failed:
			stop(l.err)
		case <-ctx.Done():
		}
	}()
	for {
		if err := i.deliver(ctx, sink); err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-i.wake:
		}
	}
}

// load brings the hook to where it stopped, once.
func (i *receiver) load(ctx context.Context) error {
	if i.loaded || i.Checkpoints == nil {
		return nil
	}
	saved, err := i.Checkpoints.Load(ctx, i.name())
	if err != nil {
		return err
	}
	if i.FromNow {
		if err := releaseAll(ctx, i.Queue, i.name()); err != nil {
			return err
		}
	}
	if saved.Position == "" {
		// Prune has to know of it before anything is in the spool.
		if err := i.Checkpoints.Save(ctx, i.name(), store.Change{Watermark: &store.Watermark{Position: startedPosition}}); err != nil {
			return err
		}
	}
	i.dedup.restore(saved.Inventory)
	i.loaded = true
	return nil
}

// receive stores an event, and says whether it is one that was not taken before.
func (i *receiver) receive(ctx context.Context, ev event.Event) (isNew bool, err error) {
	k := newDedupKey(ev.ID)
	d, isNew, err := i.claim(ctx, k)
	if err != nil || !isNew {
		return false, err
	}
	stored := ev
	stored.Source = i.name()
	// Whether the caller is still there does not matter any more.
	err = i.accept(context.WithoutCancel(ctx), stored)
	i.mu.Lock()
	defer i.mu.Unlock()
	close(d.settled)
	size := memorySize(ev.Data)
	switch {
	case err != nil:
		// It may be in the store even so.
		delete(i.dedup.entries, k)
		i.backlog = true
	case !i.backlog && i.memory.TryAcquire(size):
		d.state = stateInMemory
		i.pending = append(i.pending, queuedEvent{ev, size})
	default:
		d.state = stateStored
		i.backlog = true
	}
	i.signal()
	return err == nil, err
}

func (i *receiver) accept(ctx context.Context, ev event.Event) error {
	ctx, cancel := context.WithTimeout(ctx, StoreTimeout)
	defer cancel()
	return i.queue.Enqueue(ctx, ev)
}

// claim says whether nobody else has taken a delivery, and then keeps others
// from it. It waits for one that is being taken.
func (i *receiver) claim(ctx context.Context, k dedupKey) (d *delivery, isNew bool, err error) {
	for {
		i.mu.Lock()
		d, known := i.dedup.entries[k]
		if !known {
			defer i.mu.Unlock()
			if len(i.dedup.entries) >= MaxDedupEntries && !i.evict() {
				return nil, false, errDedupFull
			}
			d = &delivery{settled: make(chan struct{})}
			i.dedup.entries[k] = d
			return d, true, nil
		}
		settled := d.state != stateStoring
		i.mu.Unlock()
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

// evict makes room for a delivery, where it may.
func (i *receiver) evict() bool {
	evicted := i.dedup.evict(i.Clock.Now())
	if len(evicted) == 0 {
		return false
	}
	c := store.Change{Inventory: map[string]*store.Entry{}}
	for _, k := range evicted {
		c.Inventory[k.String()] = nil
	}
	i.Saver.Save(i.name(), c)
	return true
}

func (i *receiver) signal() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}
