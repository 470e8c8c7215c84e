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

package velaql_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/velaql"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
	"github.com/kubevela/kube-trigger/pkg/velaql/query"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// fakeView is a view with a settable result. It can be shared by processes.
type fakeView struct {
	mu     sync.Mutex
	result any
	err    error
	// evaluations counts the calls of Evaluate. If tokens is set, each waits for a token.
	evaluations int
	tokens      chan struct{}
}

func (v *fakeView) Evaluate(context.Context) (any, error) {
	v.mu.Lock()
	tokens := v.tokens
	v.evaluations++
	v.mu.Unlock()
	if tokens != nil {
		<-tokens
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.result, v.err
}

func (v *fakeView) set(result any, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.result, v.err = result, err
}

func (v *fakeView) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.evaluations
}

type sinkFunc func(ctx context.Context, ev event.Event, done func()) error

func (f sinkFunc) Deliver(ctx context.Context, ev event.Event, d source.Delivery) error {
	return f(ctx, ev, d.Done)
}

// recorder records the events of a sink.
type recorder struct {
	mu     sync.Mutex
	events []event.Event
}

// deliver records an event and acknowledges it.
func (r *recorder) deliver(ctx context.Context, ev event.Event, done func()) error {
	_ = r.hold(ctx, ev, done)
	done()
	return nil
}

// hold records an event and does not acknowledge it.
func (r *recorder) hold(_ context.Context, ev event.Event, _ func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, ev)
	return nil
}

// drain returns `type old→new` of the recorded events and clears them.
func (r *recorder) drain() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, ev := range r.events {
		text := fmt.Sprintf("%s →%v", ev.Type, ev.Data["result"])
		if ev.Old != nil {
			text = fmt.Sprintf("%s %v→%v", ev.Type, ev.Old["result"], ev.Data["result"])
		}
		out = append(out, text)
	}
	r.events = nil
	return out
}

// process is a worker with one velaql trigger. It uses the clock of its synctest bubble.
// Its store can be opened by another process.
type process struct {
	t         *testing.T
	store     *file.Store
	cancel    context.CancelFunc
	source    chan error
	stopSaver context.CancelFunc
	saver     chan error
	killed    atomic.Bool
}

func compile(t *testing.T, o velaql.Options, properties map[string]any) source.Subscription {
	t.Helper()
	o.Clock = clock.RealClock{}
	sub, diags := velaql.New(o).Compile(properties, source.Spec{TriggerRef: event.TriggerRef{Name: "pods", Namespace: "default"}, Old: expr.All()})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	return sub
}

// options returns options whose only view is v.
func options(v *fakeView) velaql.Options {
	return velaql.Options{CompileView: func(event.TriggerRef, query.Query) (velaql.View, diag.List) { return v, nil }}
}

func start(t *testing.T, path string, o velaql.Options, properties map[string]any, sink sinkFunc) *process {
	t.Helper()
	s, err := file.Open(t.Context(), path, file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, store: s, source: make(chan error, 1), saver: make(chan error, 1)}
	saver := store.NewBatchSaver(s, store.BatchSaverOptions{
		MaxDelay: 25 * time.Millisecond, BatchSize: 1000, GracePeriod: time.Second, Clock: clock.RealClock{},
		OnError: func(err error) {
			if !p.killed.Load() {
				t.Error(err)
			}
		},
	})
	o.Checkpoints, o.Saver = s.Checkpoints(), saver
	sub := compile(t, o, properties)
	saving, stopSaver := context.WithCancel(context.Background())
	ctx, cancel := context.WithCancel(context.Background())
	p.stopSaver, p.cancel = stopSaver, cancel
	go func() { p.saver <- saver.Run(saving) }()
	src := sub.Open([]source.Subscription{sub})
	go func() { p.source <- runWithRestarts(ctx, src, filteringSink{sub, sink}) }()
	return p
}

// runWithRestarts runs a source again one second after it fails, like the engine.
func runWithRestarts(ctx context.Context, src source.Source, sink source.Sink) error {
	for {
		err := src.Run(ctx, sink)
		if ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil
		}
	}
}

// filteringSink drops events that the subscription skips, like the engine.
type filteringSink struct {
	source.Subscription
	sink sinkFunc
}

func (w filteringSink) Deliver(ctx context.Context, ev event.Event, d source.Delivery) error {
	if w.Skip(ev, d) != "" {
		d.Done()
		return nil
	}
	return w.sink(ctx, ev, d.Done)
}

// stop stops the process gracefully.
func (p *process) stop() {
	p.t.Helper()
	p.cancel()
	if err := <-p.source; err != nil {
		p.t.Error(err)
	}
	p.stopSaver()
	if err := <-p.saver; err != nil {
		p.t.Error(err)
	}
	if err := p.store.Close(); err != nil {
		p.t.Error(err)
	}
}

// kill stops the process without writing what is not yet written to the store.
func (p *process) kill() {
	p.t.Helper()
	p.killed.Store(true)
	if err := p.store.Close(); err != nil {
		p.t.Error(err)
	}
	p.cancel()
	p.stopSaver()
	_ = errors.Join(<-p.source, <-p.saver)
}

// bubble runs f in a synctest bubble. path is the path of a store.
func bubble(t *testing.T, f func(t *testing.T, path string)) {
	t.Helper()
	path := t.TempDir() + "/store.db"
	synctest.Test(t, func(t *testing.T) { f(t, path) })
}
