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

package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/loopguard"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

const (
	// maxDeliveries limits the events of one step, which actions cause.
	maxDeliveries = 10_000
	// queueSize is the number of events of a trigger that may wait for the clock.
	queueSize = 1 << 20
	// queueBytes is the memory for them.
	queueBytes = 1 << 30
)

// Options configure a Run.
type Options struct {
	// Triggers are valid triggers, compiled with the executors of Executors.
	Triggers  []trigger.Compiled
	Executors *Executors
	// Start is the time at which the triggers start.
	Start time.Time
	// Objects are those that exist then.
	Objects []map[string]any
	// Answers answer the requests of actions.
	Answers []Answer
	// Cluster answers reads of what Objects lack; nil for no cluster. Nothing is written to
	// it. With ServerDryRun, writes are tried by its API server, and change nothing.
	Cluster      client.Client
	ServerDryRun bool
	// Missed receives the objects that actions read and that do not exist. Optional.
	Missed func(Ref)
}

// Run is the run of triggers through a timeline of events. Its methods return what happens
// until nothing is left to do but to wait for the clock. They must not be called
// concurrently. A Run has to be closed.
type Run struct {
	clock    *Clock
	objects  *Objects
	engine   *engine.Engine
	triggers []*rehearsed
	stop     func() error

	mu      sync.Mutex
	changes []Change
	result  StepResult
	writes  []Write
}

// StepResult is what happens in a step.
type StepResult struct {
	Decisions []engine.Decision
	Calls     []TriggerCall
}

// TriggerCall is a call of an action of a trigger.
type TriggerCall struct {
	Trigger event.TriggerRef
	Call
}

// rehearsed is the subscription of one trigger, whose source is the run.
type rehearsed struct {
	*Driven
	trigger event.TriggerRef
	// objects and ticks are nil if the source has none.
	objects source.ObjectFeed
	ticks   source.TickFeed
	to      source.Sink
}

// Key implements source.Subscription. Each trigger has its own source, so that triggers take
// turns.
func (r *rehearsed) Key() string { return r.trigger.String() }

// Start starts the triggers.
func Start(ctx context.Context, o Options) (*Run, error) {
	r := &Run{clock: NewClock(o.Start)}
	r.objects = NewObjects(r.clock)
	for i, object := range o.Objects {
		if err := r.objects.Put(object); err != nil {
			return nil, fmt.Errorf("object %d: %w", i, err)
		}
	}
	if o.Missed != nil {
		r.objects.ObserveMissed(o.Missed)
	}
	r.objects.Observe(func(c Change) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.changes = append(r.changes, c)
	})
	target := r.objects.Client()
	if o.Cluster != nil {
		r.objects.ReadFrom(o.Cluster)
		if o.ServerDryRun {
			target = newDryRun(o.Cluster, r.recordWrite)
		}
	}
	loops := loopguard.NewTracker()
	var all []engine.Trigger
	for _, compiled := range o.Triggers {
		detector := loops.Detector(compiled.TriggerRef)
		o.Executors.set(compiled.TriggerRef, r.executor(compiled.TriggerRef, detector, target, o.Answers))
		t := compiled.Fresh(detector)
		sub := &rehearsed{Driven: Drive(t.Subscription), trigger: t.TriggerRef}
		if s, ok := t.Subscription.(source.ObjectRehearser); ok {
			sub.objects = s.RehearseObjects(r.clock)
		}
		if s, ok := t.Subscription.(source.TickRehearser); ok {
			sub.ticks = s.RehearseTicks(o.Start)
		}
		t.Subscription = sub
		r.triggers, all = append(r.triggers, sub), append(all, t)
	}
	var err error
	r.engine, err = engine.New(engine.Options{
		Defaults: engine.Policy{QueueSize: queueSize}, QueueBytes: queueBytes, Observer: observer{r}, Clock: r.clock,
	}, all)
	if err != nil {
		return nil, err
	}
	return r, r.start(ctx)
}

// start runs the engine, and has the triggers know the objects.
func (r *Run) start(ctx context.Context) error {
	r.stop = Go(ctx, r.engine)
	for _, t := range r.triggers {
		var err error
		if t.to, err = t.Sink(ctx); err != nil {
			return errors.Join(err, r.stop())
		}
	}
	for _, object := range r.objects.All() {
		for _, t := range r.triggers {
			if t.objects == nil {
				continue
			}
			if err := r.deliverAll(ctx, t, t.objects.Add(object)); err != nil {
				return errors.Join(err, r.stop())
			}
		}
	}
	if err := r.settle(ctx); err != nil {
		return errors.Join(err, r.stop())
	}
	return nil
}

// Close ends the run.
func (r *Run) Close() error { return r.stop() }

// Now returns the time of the run.
func (r *Run) Now() time.Time { return r.clock.Now() }

// Objects returns the objects, which the caller may read.
func (r *Run) Objects() *Objects { return r.objects }

// Begun returns what has happened since the start or the last step.
func (r *Run) Begun() StepResult { return r.take() }

// Put sets objects, one after the other, as users and controllers do; see Objects.Put.
func (r *Run) Put(ctx context.Context, objects ...map[string]any) (StepResult, error) {
	for _, object := range objects {
		if err := r.objects.Put(object); err != nil {
			return StepResult{}, err
		}
		if err := r.settle(ctx); err != nil {
			return StepResult{}, err
		}
	}
	return r.take(), nil
}

// Remove removes an object.
func (r *Run) Remove(ctx context.Context, gk schema.GroupKind, namespace, name string) (StepResult, error) {
	if !r.objects.Remove(gk, namespace, name) {
		return StepResult{}, fmt.Errorf("there is no %s %s/%s", gk.Kind, namespace, name)
	}
	if err := r.settle(ctx); err != nil {
		return StepResult{}, err
	}
	return r.take(), nil
}

// Deliver delivers events to the trigger with the name, or to all if it is the zero value.
func (r *Run) Deliver(ctx context.Context, to event.TriggerRef, events ...source.Occurrence) (StepResult, error) {
	for _, t := range r.triggers {
		if to != (event.TriggerRef{}) && to != t.trigger {
			continue
		}
		if err := r.deliverAll(ctx, t, events); err != nil {
			return StepResult{}, err
		}
	}
	if err := r.settle(ctx); err != nil {
		return StepResult{}, err
	}
	return r.take(), nil
}

// AdvanceTo sets the time, with all ticks, retries and windows until then, in order.
func (r *Run) AdvanceTo(ctx context.Context, until time.Time) (StepResult, error) {
	for n := 0; ; n++ {
		if n > maxDeliveries {
			return StepResult{}, fmt.Errorf("more than %d ticks and waits", maxDeliveries)
		}
		ticking, at := r.nextTick(until)
		switch {
		case r.clock.fireNext(at):
		case ticking == nil:
			return r.take(), nil
		default:
			if err := r.deliverAll(ctx, ticking, []source.Occurrence{{Event: ticking.ticks.Tick()}}); err != nil {
				return StepResult{}, err
			}
		}
		if err := r.settle(ctx); err != nil {
			return StepResult{}, err
		}
	}
}

// nextTick returns the trigger with the first tick by until and its time, or nil and until.
func (r *Run) nextTick(until time.Time) (first *rehearsed, at time.Time) {
	at = until
	for _, t := range r.triggers {
		if t.ticks == nil {
			continue
		}
		if next := t.ticks.Next(); !next.IsZero() && (next.Before(at) || first == nil && next.Equal(at)) {
			first, at = t, next
		}
	}
	return first, at
}

// settle delivers the events of changes until there are none.
func (r *Run) settle(ctx context.Context) error {
	for n := 0; ; n++ {
		if err := r.engine.WaitIdle(ctx); err != nil {
			return err
		}
		r.mu.Lock()
		if len(r.changes) == 0 {
			r.mu.Unlock()
			return nil
		}
		c := r.changes[0]
		r.changes = r.changes[1:]
		r.mu.Unlock()
		if n > maxDeliveries {
			return fmt.Errorf("the triggers do not settle: more than %d changes of objects in one step, the last one of %s", maxDeliveries, c.Ref)
		}
		for _, t := range r.triggers {
			if t.objects == nil {
				continue
			}
			if err := r.deliverAll(ctx, t, t.objects.Change(c.Old, c.New)); err != nil {
				return err
			}
		}
	}
}

// deliverAll delivers events to one trigger, one after the other.
func (r *Run) deliverAll(ctx context.Context, t *rehearsed, all []source.Occurrence) error {
	for _, o := range all {
		o.Delivery.Done = func() {}
		if err := t.to.Deliver(ctx, o.Event, o.Delivery); err != nil {
			return err
		}
		if err := r.engine.WaitIdle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// take returns what has happened since it was called last.
func (r *Run) take() StepResult {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.result
	r.result = StepResult{}
	return out
}

// observer keeps the decisions of a run.
type observer struct{ run *Run }

// Observe implements engine.Observer.
func (o observer) Observe(d engine.Decision) {
	o.run.mu.Lock()
	defer o.run.mu.Unlock()
	o.run.result.Decisions = append(o.run.result.Decisions, d)
}

// ObserveSource implements engine.Observer.
func (observer) ObserveSource(engine.SourceFailure) {}

// ObserveDeadLetter implements engine.Observer.
func (observer) ObserveDeadLetter(engine.DeadLetterResult) {}

// record keeps a call of a trigger.
func (r *Run) record(t event.TriggerRef, c Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Calls = append(r.result.Calls, TriggerCall{Trigger: t, Call: c})
}

// recordWrite keeps a write that an API server has tried.
func (r *Run) recordWrite(w Write) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes = append(r.writes, w)
}
