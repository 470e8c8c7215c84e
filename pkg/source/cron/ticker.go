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

	"github.com/kubevela/kube-trigger/pkg/sleep"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// ticker is the source of one trigger.
type ticker struct {
	Options
	plan

	loaded bool
	// position is the last tick that was due.
	position time.Time
	// pending are the ticks that are stored and not delivered, in order.
	pending []time.Time
}

// Run implements source.Source.
func (t *ticker) Run(ctx context.Context, sink source.Sink) error {
	ctx = logr.NewContext(ctx, logr.FromContextOrDiscard(ctx).WithValues("trigger", t.trigger.String()))
	if err := t.run(ctx, sink); err != nil && ctx.Err() == nil {
		return fmt.Errorf("schedule %q: %w", t.expression, err)
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
		if err := t.resetIfAhead(ctx, now); err != nil {
			return err
		}
		d := t.due(t.position, now)
		if !d.position.Equal(t.position) {
			if err := t.commit(ctx, d); err != nil {
				return err
			}
			continue
		}
		wait := maxSleep
		if !d.next.IsZero() {
			wait = min(wait, d.next.Sub(now))
		}
		if !sleep.For(ctx, t.Clock, wait) {
			return nil
		}
	}
}

// now returns the wall clock's time. It strips the monotonic reading, which stops while
// the machine sleeps.
func (t *ticker) now() time.Time { return t.Clock.Now().Round(0).UTC() }

// deliver delivers the pending ticks.
func (t *ticker) deliver(ctx context.Context, sink source.Sink) error {
	for len(t.pending) > 0 {
		tick := t.pending[0]
		if err := sink.Deliver(ctx, t.event(tick, t.now()), source.Delivery{Done: func() { t.ack(tick) }}); err != nil {
			return err
		}
		t.pending = t.pending[1:]
	}
	return nil
}

// commit stores due ticks and makes them pending.
func (t *ticker) commit(ctx context.Context, d dueTicks) error {
	if err := t.save(ctx, d.position, d.ticks); err != nil {
		return err
	}
	t.position, t.pending = d.position, d.ticks
	if d.missed > 0 || d.skipped {
		logr.FromContextOrDiscard(ctx).Info("ticks missed", "policy", string(t.missed),
			"handled", d.missed, "skipped", d.skipped, "last", d.position)
	}
	return nil
}

func (t *ticker) save(ctx context.Context, position time.Time, ticks []time.Time) error {
	if t.Checkpoints == nil {
		return nil
	}
	cursor := formatTick(position)
	c := store.Change{Cursor: &cursor, Values: map[string][]byte{}}
	for _, tick := range ticks {
		c.Values[formatTick(tick)] = []byte{}
	}
	return t.Checkpoints.Save(ctx, t.plan.String(), c)
}

// ack removes a tick from the checkpoint.
func (t *ticker) ack(tick time.Time) {
	if t.Saver != nil {
		t.Saver.Save(t.plan.String(), store.Change{Values: map[string][]byte{formatTick(tick): nil}})
	}
}

// load restores position, the checkpoint's cursor, and pending ticks, the names of its
// values, once. Without a checkpoint, the schedule starts now.
func (t *ticker) load(ctx context.Context) error {
	if t.loaded {
		return nil
	}
	var saved store.Checkpoint
	if t.Checkpoints != nil {
		var err error
		if saved, err = t.Checkpoints.Load(ctx, t.plan.String()); err != nil {
			return err
		}
	}
	if t.FromNow && saved.Cursor != "" {
		if err := t.Checkpoints.Delete(ctx, t.plan.String()); err != nil {
			return err
		}
		saved = store.Checkpoint{}
	}
	if saved.Cursor == "" {
		position := t.now().Truncate(time.Second)
		if err := t.save(ctx, position, nil); err != nil {
			return err
		}
		saved.Cursor = formatTick(position)
	}
	position, err := parseTick(saved.Cursor)
	if err != nil {
		return err
	}
	var pending []time.Time
	for _, key := range slices.Sorted(maps.Keys(saved.Values)) {
		tick, err := parseTick(key)
		if err != nil {
			return err
		}
		pending = append(pending, tick)
	}
	t.position, t.pending, t.loaded = position, pending, true
	return nil
}

// resetIfAhead restarts the schedule if the last tick is further in the future than
// MaxClockSkew.
func (t *ticker) resetIfAhead(ctx context.Context, now time.Time) error {
	if !t.position.After(now.Add(MaxClockSkew)) {
		return nil
	}
	logr.FromContextOrDiscard(ctx).Info("last tick is in the future; schedule restarted", "last", t.position)
	position := now.Truncate(time.Second)
	if err := t.save(ctx, position, nil); err != nil {
		return err
	}
	t.position = position
	return nil
}

// formatTick returns the stored form of a tick. It sorts as the ticks do.
func formatTick(tick time.Time) string { return tick.UTC().Format(time.RFC3339) }

func parseTick(text string) (time.Time, error) {
	tick, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("tick %q: %w", text, store.ErrDamaged)
	}
	return tick, nil
}
