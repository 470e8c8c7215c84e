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

package cron

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-logr/logr"

	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// ticker is the source of one trigger.
type ticker struct {
	Options
	plan

	loaded bool
	// position is the last tick that is decided about.
	position time.Time
	// taken are the ticks that are stored and not delivered, in their order.
	taken []time.Time
}

// Run implements source.Source.
func (t *ticker) Run(ctx context.Context, sink source.Sink) error {
	ctx = logr.NewContext(ctx, logr.FromContextOrDiscard(ctx).WithValues("trigger", t.trigger.String()))
	if err := t.run(ctx, sink); err != nil && ctx.Err() == nil {
		return fmt.Errorf("schedule %q: %w", t.text, err)
	}
	return nil
}

func (t *ticker) run(ctx context.Context, sink source.Sink) error {
	if err := t.load(ctx); err != nil {
		return err
	}
	for {
		if err := t.deliver(ctx, sink); err != nil {
			return err
		}
		now := t.now()
		if err := t.rewind(ctx, now); err != nil {
			return err
		}
		d := t.due(t.position, now)
		if !d.position.Equal(t.position) {
			if err := t.take(ctx, d); err != nil {
				return err
			}
			continue
		}
		wait := maxSleep
		if !d.wake.IsZero() {
			wait = min(wait, d.wake.Sub(now))
		}
		timer := t.Clock.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C():
		}
	}
}

// now is the clock's time without the part that stands still while the machine
// sleeps.
func (t *ticker) now() time.Time { return t.Clock.Now().Round(0).UTC() }

// deliver delivers what is taken.
func (t *ticker) deliver(ctx context.Context, sink source.Sink) error {
	for len(t.taken) > 0 {
		tick := t.taken[0]
		if err := sink.Deliver(ctx, t.event(tick, t.now()), func() { t.done(tick) }); err != nil {
			return err
		}
		t.taken = t.taken[1:]
	}
	return nil
}

// take stores what is due before it is delivered.
func (t *ticker) take(ctx context.Context, d due) error {
	if err := t.save(ctx, d.position, d.ticks); err != nil {
		return err
	}
	t.position, t.taken = d.position, d.ticks
	if d.missed > 0 || d.left {
		logr.FromContextOrDiscard(ctx).Info("ticks were missed", "policy", string(t.missed),
			"handled", d.missed, "others", d.left, "last", d.position)
	}
	return nil
}

func (t *ticker) save(ctx context.Context, position time.Time, ticks []time.Time) error {
	if t.Resumes == nil {
		return nil
	}
	c := store.Change{Mark: &store.Mark{Position: stamp(position)}, Inventory: map[string]*store.Entry{}}
	for _, tick := range ticks {
		c.Inventory[stamp(tick)] = &store.Entry{}
	}
	return t.Resumes.Save(ctx, t.plan.String(), c)
}

// done takes note that a tick is done.
func (t *ticker) done(tick time.Time) {
	if t.Saver != nil {
		t.Saver.Save(t.plan.String(), store.Change{Inventory: map[string]*store.Entry{stamp(tick): nil}})
	}
}

// load brings the schedule to where it stopped, once.
func (t *ticker) load(ctx context.Context) error {
	if t.loaded {
		return nil
	}
	var saved store.Resume
	if t.Resumes != nil {
		var err error
		if saved, err = t.Resumes.Load(ctx, t.plan.String()); err != nil {
			return err
		}
	}
	if t.FromNow && saved.Position != "" {
		if err := t.Resumes.Forget(ctx, t.plan.String()); err != nil {
			return err
		}
		saved = store.Resume{}
	}
	if saved.Position == "" {
		position := t.now().Truncate(time.Second)
		if err := t.save(ctx, position, nil); err != nil {
			return err
		}
		saved.Position = stamp(position)
	}
	position, err := when(saved.Position)
	if err != nil {
		return err
	}
	var taken []time.Time
	for _, key := range slices.Sorted(maps.Keys(saved.Inventory)) {
		tick, err := when(key)
		if err != nil {
			return err
		}
		taken = append(taken, tick)
	}
	t.position, t.taken, t.loaded = position, taken, true
	return nil
}

// rewind begins anew where the last tick is too far in the future.
func (t *ticker) rewind(ctx context.Context, now time.Time) error {
	if !t.position.After(now.Add(MaxAhead)) {
		return nil
	}
	logr.FromContextOrDiscard(ctx).Info("the last tick is in the future; beginning anew", "last", t.position)
	position := now.Truncate(time.Second)
	if err := t.save(ctx, position, nil); err != nil {
		return err
	}
	t.position = position
	return nil
}

// stamp is how a tick is stored: stamps sort as their ticks do.
func stamp(tick time.Time) string { return tick.UTC().Format(time.RFC3339) }

func when(text string) (time.Time, error) {
	tick, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("tick %q: %w", text, store.ErrDamaged)
	}
	return tick, nil
}
