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

package cron_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"k8s.io/utils/clock"

	"k8s.io/utils/ptr"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/cron"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// saveEvery is the maximum delay of the saver.
const saveEvery = 25 * time.Millisecond

// process is a worker with one cronjob trigger. It uses the clock of its synctest
// bubble. Its store can be opened by another process.
type process struct {
	t         *testing.T
	store     *file.Store
	cancel    context.CancelFunc
	source    chan error
	stopSaver context.CancelFunc
	saver     chan error
	killed    atomic.Bool
}

type sinkFunc func(ctx context.Context, ev event.Event, done func()) error

func (f sinkFunc) Deliver(ctx context.Context, ev event.Event, d source.Delivery) error {
	return f(ctx, ev, d.Done)
}

func compile(t *testing.T, o cron.Options, properties map[string]any) source.Subscription {
	t.Helper()
	o.Clock = clock.RealClock{}
	sub, diags := cron.New(o).Compile(properties, source.Spec{TriggerRef: event.TriggerRef{Name: "nightly", Namespace: "default"}})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	return sub
}

func start(t *testing.T, path string, o cron.Options, properties map[string]any, sink sinkFunc) *process {
	t.Helper()
	s, err := file.Open(t.Context(), path, file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, store: s, source: make(chan error, 1), saver: make(chan error, 1)}
	saver := store.NewBatchSaver(s, store.BatchSaverOptions{
		MaxDelay: saveEvery, BatchSize: 1000, GracePeriod: time.Second, Clock: clock.RealClock{},
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
	go func() { p.source <- src.Run(ctx, sink) }()
	return p
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

// recorder records the events of a sink.
type recorder struct {
	mu     sync.Mutex
	events []event.Event
}

// deliver records an event and acknowledges it.
func (r *recorder) deliver(_ context.Context, ev event.Event, done func()) error {
	r.record(ev)
	done()
	return nil
}

func (r *recorder) record(ev event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, ev)
}

// times returns the times of the recorded ticks and clears them.
func (r *recorder) times() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, ev := range r.events {
		out = append(out, ev.Data["timeFired"].(string)[len("2000-01-"):])
	}
	r.events = nil
	return out
}

// bubble runs f in a synctest bubble, whose clock starts at 2000-01-01T00:00:00Z. path is
// the path of a store.
func bubble(t *testing.T, f func(t *testing.T, path string)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	synctest.Test(t, func(t *testing.T) { f(t, path) })
}

func watermarkAt(position string) store.Change {
	return store.Change{Cursor: ptr.To(position)}
}
