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
	"github.com/kubevela/kube-trigger/pkg/filter"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// What packages start when they are loaded is not of this one.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

type actionFunc func(ctx context.Context, ev event.Event) error

func (f actionFunc) Run(ctx context.Context, ev event.Event) error { return f(ctx, ev) }

type filterFunc func(ctx context.Context, ev event.Event) (filter.Verdict, error)

func (f filterFunc) Match(ctx context.Context, ev event.Event) (filter.Verdict, error) {
	return f(ctx, ev)
}

type sourceFunc func(ctx context.Context, sink source.Sink) error

func (f sourceFunc) Run(ctx context.Context, sink source.Sink) error { return f(ctx, sink) }

// subscription is one whose source is run by open.
type subscription struct {
	key     string
	accepts func(event.Event) bool
	open    func(shared []source.Subscription) source.Source
}

func (s subscription) Key() string                                     { return s.key }
func (s subscription) Open(shared []source.Subscription) source.Source { return s.open(shared) }

func (s subscription) Skip(ev event.Event) source.Reason {
	if s.accepts == nil || s.accepts(ev) {
		return ""
	}
	return source.NotSubscribed
}

// harness is an engine that runs, with one source in whose place the test
// delivers, and the record of what came of it.
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

func (r *harness) Observe(d engine.Decision) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.decisions = append(r.decisions, d)
}

func (r *harness) ObserveSource(f engine.SourceFailure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, f)
}

// start runs triggers. Those without a subscription take all that the test
// delivers; those without a name are called t0, t1, ….
func start(t testing.TB, options engine.Options, triggers ...engine.Trigger) *harness {
	t.Helper()
	return startIn(t.Context(), t, options, triggers...)
}

func startIn(ctx context.Context, t testing.TB, options engine.Options, triggers ...engine.Trigger) *harness {
	t.Helper()
	r := &harness{done: map[string]int{}}
	options.Observers = append(options.Observers, r)
	r.run(ctx, t, options, triggers)
	return r
}

// startEngine is start for those who ask the engine itself.
func startEngine(t testing.TB, options engine.Options, triggers ...engine.Trigger) (*engine.Engine, *harness) {
	t.Helper()
	r := start(t, options, triggers...)
	return r.engine, r
}

// startUnobserved is start without a record, whose size would depend on the number
// of events.
func startUnobserved(t testing.TB, options engine.Options, triggers ...engine.Trigger) *harness {
	t.Helper()
	r := &harness{}
	r.run(t.Context(), t, options, triggers)
	return r
}

func (r *harness) run(ctx context.Context, t testing.TB, options engine.Options, triggers []engine.Trigger) {
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
	e, err := engine.New(options, triggers)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	r.t, r.engine, r.cancel, r.ended = t, e, cancel, make(chan error, 1)
	go func() { r.ended <- e.Run(ctx) }()
	t.Cleanup(cancel)
	if wait {
		r.sink = <-sinks
	}
}

// stop ends the engine and waits until it has stopped.
func (r *harness) stop() {
	r.t.Helper()
	r.cancel()
	if err := <-r.ended; err != nil {
		r.t.Errorf("Run: %v", err)
	}
}

func (r *harness) deliver(key, id string) {
	r.t.Helper()
	if err := r.tryDeliver(r.t.Context(), key, id); err != nil {
		r.t.Fatal(err)
	}
}

func (r *harness) tryDeliver(ctx context.Context, key, id string) error {
	ev := event.Event{Source: "test", Type: event.Update, Key: key, ID: id, Time: time.Now()}
	return r.sink.Deliver(ctx, ev, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.done[id]++
	})
}

// wantDone wants exactly these events to be done, once each.
func (r *harness) wantDone(ids ...string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		if r.done[id] != 1 {
			r.t.Errorf("event %q is done %d times, want 1", id, r.done[id])
		}
	}
	for id, n := range r.done {
		if !slices.Contains(ids, id) {
			r.t.Errorf("event %q is done %d times, want 0", id, n)
		}
	}
}

// decisionsOf returns the decisions about one event by triggers that subscribed to it,
// but that it is queued or matched.
func (r *harness) decisionsOf(id string) []engine.Decision {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []engine.Decision
	for _, d := range r.decisions {
		if d.Event.ID == id && d.Outcome != engine.Matched && d.Outcome != engine.Queued && d.Reason != string(source.NotSubscribed) {
			out = append(out, d)
		}
	}
	return out
}

// wantOutcomes wants these decisions about one event, in this order.
func (r *harness) wantOutcomes(id string, want ...engine.Outcome) {
	r.t.Helper()
	var got []engine.Outcome
	for _, d := range r.decisionsOf(id) {
		got = append(got, d.Outcome)
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("event %q: %v, want %v", id, got, want)
	}
}

// advance lets d go by on the clock of the test's bubble, and all that follows
// from it happen.
func advance(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// recorder records what actions were given, in order.
type recorder struct {
	mu  sync.Mutex
	ids []string
}

func (p *recorder) add(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids = append(p.ids, id)
}

func (p *recorder) want(t *testing.T, ids ...string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.ids, ids) {
		t.Errorf("ran %v, want %v", p.ids, ids)
	}
}

// wantAnyOrder is want for events of different keys.
func (p *recorder) wantAnyOrder(t *testing.T, ids ...string) {
	t.Helper()
	p.mu.Lock()
	slices.Sort(p.ids)
	p.mu.Unlock()
	p.want(t, ids...)
}

// waitFor waits until done, on the real clock.
func waitFor(t testing.TB, condition string, done func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited 30s for %s", condition)
		case <-tick.C:
		}
	}
}
