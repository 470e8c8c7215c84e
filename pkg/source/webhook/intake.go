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

// errForgetful says that a delivery is not taken because it could not be
// remembered for as long as it could be repeated.
var errForgetful = fmt.Errorf("%d deliveries are to be remembered: %w", MaxSeen, store.ErrFull)

// begun is the position of a hook that has run before.
const begun = "1"

// intake is the source of one trigger: it stores what its hook takes, and
// delivers what is stored.
type intake struct {
	Options
	*hook
	spool  spool
	loaded bool
	// memory bounds what is held, in bytes.
	memory *semaphore.Weighted

	mu         sync.Mutex
	deliveries deliveries
	queue      []item
	// behind says that there is more in the store than here.
	behind bool
	// wake holds a token where there is something to do.
	wake chan struct{}
}

// spool keeps events that were taken until they are done. store.Spool is one.
type spool interface {
	Accept(ctx context.Context, ev event.Event) error
	Spooled(ctx context.Context, source string) iter.Seq2[event.Event, error]
}

// item is an event that is held in memory.
type item struct {
	event event.Event
	size  int64
}

func newIntake(o Options, h *hook) *intake {
	i := &intake{
		Options: o, hook: h, spool: o.Spool,
		memory:     semaphore.NewWeighted(MaxHeld),
		deliveries: deliveries{all: map[key]*delivery{}, replayable: h.replayable},
		behind:     true,
		wake:       make(chan struct{}, 1),
	}
	if o.Spool == nil {
		kept := newKept()
		i.spool, i.Saver = kept, kept
	}
	return i
}

// Run implements source.Source.
func (i *intake) Run(ctx context.Context, sink source.Sink) error {
	log := logr.FromContextOrDiscard(ctx).WithValues("trigger", i.trigger.String())
	if err := i.run(logr.NewContext(ctx, log), sink); err != nil && ctx.Err() == nil {
		return fmt.Errorf("webhook %s: %w", i.path, err)
	}
	return nil
}

func (i *intake) run(ctx context.Context, sink source.Sink) error {
	if err := i.load(ctx); err != nil {
		return err
	}
	log := logr.FromContextOrDiscard(ctx)
	l, leave, err := i.Server.join(ctx, i.path, i.trigger.String(), &handler{hook: i.hook, server: i.Server, intake: i, log: log})
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
func (i *intake) load(ctx context.Context) error {
	if i.loaded || i.Resumes == nil {
		return nil
	}
	saved, err := i.Resumes.Load(ctx, i.name())
	if err != nil {
		return err
	}
	if i.FromNow {
		if err := empty(ctx, i.Spool, i.name()); err != nil {
			return err
		}
	}
	if saved.Position == "" {
		// Prune has to know of it before anything is in the spool.
		if err := i.Resumes.Save(ctx, i.name(), store.Change{Mark: &store.Mark{Position: begun}}); err != nil {
			return err
		}
	}
	i.deliveries.restore(saved.Inventory)
	i.loaded = true
	return nil
}

// take stores an event, and says whether it is one that was not taken before.
func (i *intake) take(ctx context.Context, ev event.Event) (isNew bool, err error) {
	k := keyOf(ev.ID)
	d, isNew, err := i.claim(ctx, k)
	if err != nil || !isNew {
		return false, err
	}
	inStore := ev
	inStore.Source = i.name()
	// Whether the caller is still there does not matter any more.
	err = i.accept(context.WithoutCancel(ctx), inStore)
	i.mu.Lock()
	defer i.mu.Unlock()
	close(d.over)
	size := weigh(ev.Data)
	switch {
	case err != nil:
		// It may be in the store even so.
		delete(i.deliveries.all, k)
		i.behind = true
	case !i.behind && i.memory.TryAcquire(size):
		d.state = held
		i.queue = append(i.queue, item{ev, size})
	default:
		d.state = stored
		i.behind = true
	}
	i.signal()
	return err == nil, err
}

func (i *intake) accept(ctx context.Context, ev event.Event) error {
	ctx, cancel := context.WithTimeout(ctx, StoreTimeout)
	defer cancel()
	return i.spool.Accept(ctx, ev)
}

// claim says whether nobody else has taken a delivery, and then keeps others
// from it. It waits for one that is being taken.
func (i *intake) claim(ctx context.Context, k key) (d *delivery, isNew bool, err error) {
	for {
		i.mu.Lock()
		d, known := i.deliveries.all[k]
		if !known {
			defer i.mu.Unlock()
			if len(i.deliveries.all) >= MaxSeen && !i.forget() {
				return nil, false, errForgetful
			}
			d = &delivery{over: make(chan struct{})}
			i.deliveries.all[k] = d
			return d, true, nil
		}
		taken := d.state != storing
		i.mu.Unlock()
		if taken {
			return nil, false, nil
		}
		select {
		case <-d.over:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}

// forget makes room for a delivery, where it may.
func (i *intake) forget() bool {
	gone := i.deliveries.forget(i.Clock.Now())
	if len(gone) == 0 {
		return false
	}
	c := store.Change{Inventory: map[string]*store.Entry{}}
	for _, k := range gone {
		c.Inventory[k.String()] = nil
	}
	i.Saver.Save(i.name(), c)
	return true
}

func (i *intake) signal() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}
