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

package engine_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/observe"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// Goroutines that imported packages start are ignored.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

type actionFunc func(ctx context.Context, ev event.Event) error

func (f actionFunc) start(map[string]any, *sync.Map) func(context.Context, event.Event) (any, error) {
	return func(ctx context.Context, ev event.Event) (any, error) { return nil, f(ctx, ev) }
}

type filterFunc func(ctx context.Context, ev event.Event) (event.Verdict, error)

func (f filterFunc) Match(ctx context.Context, ev event.Event) (event.Verdict, error) {
	return f(ctx, ev)
}

type sourceFunc func(ctx context.Context, sink source.Sink) error

func (f sourceFunc) Run(ctx context.Context, sink source.Sink) error { return f(ctx, sink) }

// subscription is a fake whose source is opened by open.
type subscription struct {
	key     string
	accepts func(event.Event) bool
	open    func(shared []source.Subscription) source.Source
}

func (s subscription) Key() string                                     { return s.key }
func (s subscription) Open(shared []source.Subscription) source.Source { return s.open(shared) }
func (subscription) UsesCheckpoint(string) bool                        { return false }

func (subscription) Watch() *source.Watch { return nil }

func (s subscription) Skip(ev event.Event, _ source.Delivery) source.Reason {
	if s.accepts == nil || s.accepts(ev) {
		return ""
	}
	return source.NotSubscribed
}

// triggerSpec is a trigger with the stages that a compiler adds for these fields.
type triggerSpec struct {
	event.TriggerRef
	SourceType   string
	Subscription source.Subscription
	Filter       engine.Filter
	// Action is the only step, if there are no Steps.
	Action       actionFunc
	Steps        []engine.Step
	LoopDetector engine.LoopDetector
	Grouping     engine.Grouping
	CrashTracker engine.CrashTracker
	Policy       engine.Policy
}

func (s triggerSpec) build() engine.Trigger {
	t := engine.Trigger{TriggerRef: s.TriggerRef, SourceType: s.SourceType, Subscription: s.Subscription, Policy: s.Policy}
	if s.LoopDetector != nil {
		t.Stages = append(t.Stages, engine.SelfWrite{Detector: s.LoopDetector})
	}
	if s.Grouping == nil {
		t.Stages = append(t.Stages, engine.Debounce{Detector: s.LoopDetector})
	}
	if s.CrashTracker != nil {
		t.Stages = append(t.Stages, engine.CrashGuard{Tracker: s.CrashTracker})
	}
	if s.Filter != nil {
		t.Stages = append(t.Stages, engine.Match{Filter: s.Filter, Tracker: s.CrashTracker})
	}
	if s.Grouping != nil {
		t.Stages = append(t.Stages, engine.GroupBy{Grouping: s.Grouping, Tracker: s.CrashTracker}, engine.Debounce{Detector: s.LoopDetector})
	}
	if s.LoopDetector != nil {
		t.Stages = append(t.Stages, engine.NewLoopGuard(s.LoopDetector))
	}
	if s.Steps == nil {
		s.Steps = []engine.Step{{Start: s.Action.start}}
	}
	t.Stages = append(t.Stages, engine.NewAct(s.LoopDetector, s.Steps...))
	return t
}

// harness is a running engine with one source, through which the test delivers
// events. It records the decisions and the events that are done.
type harness struct {
	t      testing.TB
	engine *engine.Engine
	sink   source.Sink
	cancel context.CancelFunc
	ended  chan error

	mu        sync.Mutex
	done      map[string]int
	decisions []engine.Decision
	failures  []engine.SourceFailure
}

func (h *harness) Observe(d engine.Decision) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.decisions = append(h.decisions, d)
}

func (*harness) ObserveDeadLetter(engine.DeadLetterResult) {}

func (h *harness) ObserveSource(f engine.SourceFailure) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures = append(h.failures, f)
}

// start runs triggers. Triggers without a subscription take all events that the
// test delivers. Triggers without a name are named t0, t1, ….
func start(t testing.TB, options engine.Options, triggers ...triggerSpec) *harness {
	t.Helper()
	return startIn(t.Context(), t, options, triggers...)
}

func startIn(ctx context.Context, t testing.TB, options engine.Options, triggers ...triggerSpec) *harness {
	t.Helper()
	h := &harness{done: map[string]int{}}
	if options.Observer != nil {
		options.Observer = observe.Observers{options.Observer, h}
	} else {
		options.Observer = h
	}
	h.run(ctx, t, options, triggers)
	return h
}

// startEngine is start, and also returns the engine.
func startEngine(t testing.TB, options engine.Options, triggers ...triggerSpec) (*engine.Engine, *harness) {
	t.Helper()
	h := start(t, options, triggers...)
	return h.engine, h
}

// startUnobserved is start without recording decisions, whose memory would grow
// with the number of events.
func startUnobserved(t testing.TB, options engine.Options, triggers ...triggerSpec) *harness {
	t.Helper()
	h := &harness{}
	h.run(t.Context(), t, options, triggers)
	return h
}

func (h *harness) run(ctx context.Context, t testing.TB, options engine.Options, triggers []triggerSpec) {
	t.Helper()
	sinks := make(chan source.Sink, 1)
	open := func([]source.Subscription) source.Source {
		return sourceFunc(func(ctx context.Context, sink source.Sink) error {
			sinks <- sink
			<-ctx.Done()
			return nil
		})
	}
	wait := false
	for i := range triggers {
		if triggers[i].Subscription == nil {
			triggers[i].Subscription = subscription{}
		}
		if s := triggers[i].Subscription.(subscription); s.open == nil {
			s.open = open
			triggers[i].Subscription, wait = s, true
		}
		if triggers[i].Name == "" {
			triggers[i].Name = fmt.Sprintf("t%d", i)
		}
	}
	var built []engine.Trigger
	for _, s := range triggers {
		built = append(built, s.build())
	}
	e, err := engine.New(options, built)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	h.t, h.engine, h.cancel, h.ended = t, e, cancel, make(chan error, 1)
	go func() { h.ended <- e.Run(ctx) }()
	t.Cleanup(cancel)
	if wait {
		h.sink = <-sinks
	}
}

// stop ends Run and waits until it returns.
func (h *harness) stop() {
	h.t.Helper()
	h.cancel()
	if err := <-h.ended; err != nil {
		h.t.Errorf("Run: %v", err)
	}
}

func (h *harness) deliver(key, id string) {
	h.t.Helper()
	if err := h.tryDeliver(h.t.Context(), key, id); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) tryDeliver(ctx context.Context, key, id string) error {
	ev := event.Event{Source: "test", Type: event.Update, Key: key, ID: id, Time: time.Now()}
	return h.sink.Deliver(ctx, ev, source.Delivery{Done: func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.done[id]++
	}})
}

// wantDone wants these events, and no others, to be done once each.
func (h *harness) wantDone(ids ...string) {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range ids {
		if h.done[id] != 1 {
			h.t.Errorf("event %q is done %d times, want 1", id, h.done[id])
		}
	}
	for id, n := range h.done {
		if !slices.Contains(ids, id) {
			h.t.Errorf("event %q is done %d times, want 0", id, n)
		}
	}
}

// decisionsOf returns the decisions about one event by triggers that subscribed
// to it, without Queued and Matched.
func (h *harness) decisionsOf(id string) []engine.Decision {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []engine.Decision
	for _, d := range h.decisions {
		if d.Event.ID == id && d.Outcome != engine.Matched && d.Outcome != engine.Queued && d.Reason != string(source.NotSubscribed) {
			out = append(out, d)
		}
	}
	return out
}

// wantOutcomes wants decisions with these outcomes about one event, in this
// order.
func (h *harness) wantOutcomes(id string, want ...engine.Outcome) {
	h.t.Helper()
	var got []engine.Outcome
	for _, d := range h.decisionsOf(id) {
		got = append(got, d.Outcome)
	}
	if !slices.Equal(got, want) {
		h.t.Errorf("event %q: %v, want %v", id, got, want)
	}
}

// advance moves the bubble's clock by d, and waits until all goroutines are
// blocked.
func advance(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// recorder records the events that actions were called with, in order.
type recorder struct {
	mu  sync.Mutex
	ids []string
}

func (r *recorder) add(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids = append(r.ids, id)
}

func (r *recorder) want(t *testing.T, ids ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.ids, ids) {
		t.Errorf("ran %v, want %v", r.ids, ids)
	}
}

// wantAnyOrder is want without an order.
func (r *recorder) wantAnyOrder(t *testing.T, ids ...string) {
	t.Helper()
	r.mu.Lock()
	slices.Sort(r.ids)
	r.mu.Unlock()
	r.want(t, ids...)
}

// waitTimeout is the timeout of waitFor. It is long because tests also run on busy machines.
const waitTimeout = 2 * time.Minute

// waitFor waits until done returns true, on the real clock.
func waitFor(t testing.TB, condition string, done func() bool) {
	t.Helper()
	deadline := time.After(waitTimeout)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited %s for %s", waitTimeout, condition)
		case <-tick.C:
		}
	}
}
