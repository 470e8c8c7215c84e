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

package simulation

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/journal"
	"github.com/kubevela/kube-trigger/pkg/loopguard"
	"github.com/kubevela/kube-trigger/pkg/rehearsal"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// queueBytes is the memory for waiting events of a trigger, which only their number limits.
const queueBytes = 1 << 50

// lane is the simulation of one trigger. It serves one goroutine at a time.
type lane struct {
	ref     event.TriggerRef
	manager string
	// streams are the streams of the trigger's events, one of each session of the journal, and
	// what makes its events of them; nil if they are the same.
	streams map[journal.Stream]source.Replay
	// ticks are the events of a schedule that was not recorded; nil for none, and at the end.
	// scheduled is set if there is one.
	ticks     source.TickFeed
	scheduled bool

	clock  *rehearsal.Clock
	engine *engine.Engine
	sink   source.Sink
	stop   func() error
	// inProgress counts the events that are not done.
	inProgress atomic.Int64
	own        *ownWrites
	stats      *stats
}

// lanes returns the lanes of triggers, which have started.
func (s *simulation) lanes(ctx context.Context, triggers []trigger.Compiled, observe func(engine.Decision)) ([]*lane, error) {
	managers := map[string]event.TriggerRef{}
	for _, t := range triggers {
		managers[loopguard.FieldManager(t.TriggerRef)] = t.TriggerRef
	}
	var all []*lane
	for _, t := range triggers {
		l := &lane{
			ref: t.TriggerRef, manager: loopguard.FieldManager(t.TriggerRef), clock: rehearsal.NewClock(s.from),
			streams: map[journal.Stream]source.Replay{},
			own:     &ownWrites{events: map[string]bool{}}, stats: newStats(managers, observe),
		}
		s.selectStreams(l, t)
		if err := l.start(ctx, t); err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// selectStreams selects the events of l: those of the best source of each session.
func (s *simulation) selectStreams(l *lane, t trigger.Compiled) {
	replayer, ok := t.Subscription.(source.Replayer)
	keys := []string{t.Subscription.Key()}
	if ok {
		keys = replayer.Recordings()
	}
	best := map[int]journal.Stream{}
	for stream := range s.Journal.Streams {
		rank := slices.Index(keys, stream.Key)
		other, found := best[stream.Session]
		if rank >= 0 && (!found || rank < slices.Index(keys, other.Key)) {
			best[stream.Session] = stream
		}
	}
	if schedule, isSchedule := t.Subscription.(source.TickRehearser); isSchedule && len(best) == 0 {
		l.ticks, l.scheduled = schedule.RehearseTicks(s.from), true
		return
	}
	fields := t.DataFields
	if ok {
		fields = fields.Union(replayer.ReplayFields())
	}
	for _, stream := range best {
		s.wanted[stream], l.streams[stream] = s.wanted[stream].Union(fields), nil
		if ok {
			l.streams[stream] = replayer.Replay(stream.Key)
		}
	}
}

// start starts the engine.
func (l *lane) start(ctx context.Context, t trigger.Compiled) error {
	simulated := t.Fresh(l.own)
	simulated.Stages[len(simulated.Stages)-1] = engine.NewIdleAct()
	driven := rehearsal.Drive(simulated.Subscription)
	simulated.Subscription = driven
	var err error
	l.engine, err = engine.New(engine.Options{QueueBytes: queueBytes, Observer: l.stats, Clock: l.clock}, []engine.Trigger{simulated})
	if err != nil {
		return err
	}
	l.stop = rehearsal.Go(ctx, l.engine)
	if l.sink, err = driven.Sink(ctx); err != nil {
		return errors.Join(err, l.stop())
	}
	return nil
}

// feedAll delivers the events of the lane's streams, each at its time.
func (l *lane) feedAll(ctx context.Context, events []occurrence) error {
	for _, e := range events {
		replay, wanted := l.streams[e.stream]
		if !wanted {
			continue
		}
		o := e.Occurrence
		if replay != nil {
			var ok bool
			if o, ok = replay.Next(o); !ok {
				continue
			}
		}
		if err := l.advance(ctx, e.Event.Time); err != nil {
			return err
		}
		if err := l.deliver(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// finish delivers the ticks until to, and waits for all that waits.
func (l *lane) finish(ctx context.Context, to time.Time) error {
	if err := l.advance(ctx, to); err != nil {
		return err
	}
	l.ticks = nil
	for {
		next, ok := l.clock.Next()
		if !ok || l.inProgress.Load() == 0 {
			return nil
		}
		if err := l.fire(ctx, next); err != nil {
			return err
		}
	}
}

// advance sets the time, unless it is before now, with all that is due by then, in order.
func (l *lane) advance(ctx context.Context, to time.Time) error {
	for {
		next, waits := l.clock.Next()
		if l.ticks != nil {
			tick := l.ticks.Next()
			if !tick.IsZero() && !tick.After(to) && (!waits || tick.Before(next)) {
				l.clock.AdvanceTo(tick)
				if err := l.deliver(ctx, source.Occurrence{Event: l.ticks.Tick()}); err != nil {
					return err
				}
				continue
			}
		}
		if !waits || next.After(to) {
			l.clock.AdvanceTo(to)
			return nil
		}
		if err := l.fire(ctx, next); err != nil {
			return err
		}
	}
}

// fire sets the time to that of the next wait, and handles what waits for it.
func (l *lane) fire(ctx context.Context, next time.Time) error {
	l.clock.AdvanceTo(next)
	return l.engine.WaitIdle(ctx)
}

// deliver delivers an event, once there is room for it, and handles it as far as possible.
func (l *lane) deliver(ctx context.Context, o source.Occurrence) error {
	for l.full() {
		next, ok := l.clock.Next()
		if !ok {
			break // unreachable: what is in progress waits
		}
		if err := l.fire(ctx, next); err != nil {
			return err
		}
	}
	id, own := o.Event.ID, o.Delivery.Writer == l.manager
	if own {
		l.own.set(id, true)
	}
	l.stats.begin(o)
	l.inProgress.Add(1)
	o.Delivery.Done = func() {
		l.inProgress.Add(-1)
		if own {
			l.own.set(id, false)
		}
	}
	if err := l.sink.Deliver(ctx, o.Event, o.Delivery); err != nil {
		return err
	}
	return l.engine.WaitIdle(ctx)
}

// full reports whether the trigger's queue is full.
func (l *lane) full() bool {
	return l.inProgress.Load() >= engine.DefaultQueueSize && l.engine.Backlogs()[l.ref].Events >= engine.DefaultQueueSize
}

// ownWrites is the loop detector of a trigger whose events are recorded: it knows those that
// the trigger's field manager wrote. It is safe for concurrent use.
type ownWrites struct {
	mu     sync.Mutex
	events map[string]bool
}

func (o *ownWrites) set(id string, own bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if own {
		o.events[id] = true
	} else {
		delete(o.events, id)
	}
}

// OwnWrite implements engine.LoopDetector.
func (o *ownWrites) OwnWrite(_ context.Context, ev event.Event) (bool, error) {
	return o.Circular(ev), nil
}

// Circular implements engine.LoopDetector.
func (o *ownWrites) Circular(ev event.Event) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.events[ev.ID]
}

// Turns implements engine.LoopDetector.
func (*ownWrites) Turns(event.Event) int { return 0 }

// Undone implements engine.LoopDetector.
func (*ownWrites) Undone(event.Event) int { return 0 }

// MayCause implements engine.LoopDetector.
func (*ownWrites) MayCause(event.Event) (may, direct bool) { return false, false }

// WithCauses implements engine.LoopDetector.
func (*ownWrites) WithCauses(ctx context.Context, _ event.Event, _ string) context.Context {
	return ctx
}
