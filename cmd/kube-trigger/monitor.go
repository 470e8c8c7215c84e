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

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/observe"
)

// stuckAfter is how long an evaluation that nothing can end is waited for, before
// the process says that it is better ended.
const stuckAfter = 30 * time.Second

// server shows what a run does. A nil monitor shows nothing, and costs nothing.
type server struct {
	listener  net.Listener
	metrics   *observe.Metrics
	decisions *observe.DecisionLog
	// engine is the one that runs; nil before there is one.
	engine atomic.Pointer[engine.Engine]
}

// newServer listens on --metrics-addr.
func (o *options) newServer(ctx context.Context) (*server, error) {
	if o.MetricsAddr == "" {
		return nil, nil
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", o.MetricsAddr)
	if err != nil {
		return nil, fmt.Errorf("--metrics-addr %s: %w", o.MetricsAddr, err)
	}
	logr.FromContextOrDiscard(ctx).Info("serving metrics", "address", l.Addr().String())
	return &server{listener: l, metrics: observe.NewMetrics(clock.RealClock{}), decisions: &observe.DecisionLog{}}, nil
}

func (m *server) observers() []engine.Observer {
	if m == nil {
		return nil
	}
	return []engine.Observer{m.metrics, m.decisions}
}

func (m *server) storeFailed() {
	if m != nil {
		m.metrics.ObserveStoreError()
	}
}

// setEngine shows e from now on, and forgets triggers that it does not run.
func (m *server) setEngine(e *engine.Engine) {
	if m == nil {
		return
	}
	m.engine.Store(e)
	m.metrics.Retain(e.Triggers())
	m.decisions.Retain(e.Triggers())
}

// Backlogs implements metrics.State.
func (m *server) Backlogs() map[event.TriggerRef]engine.Backlog {
	if e := m.engine.Load(); e != nil {
		return e.Backlogs()
	}
	return nil
}

// Quarantines implements metrics.State.
func (m *server) Quarantines() []engine.Quarantine {
	if e := m.engine.Load(); e != nil {
		return e.Quarantines()
	}
	return nil
}

// Running reports whether events are taken.
func (m *server) Running() bool {
	e := m.engine.Load()
	return e != nil && e.Running()
}

// runWith serves while run runs.
func (m *server) runWith(ctx context.Context, run func(context.Context) error) error {
	if m == nil {
		return run(ctx)
	}
	s := &http.Server{
		Handler:           m.handler(m, clock.RealClock{}),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(m.listener) }()
	err := run(ctx)
	closed := s.Close()
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serve metrics: %w", end))
	}
	return errors.Join(err, closed)
}

// engineState is what is asked of an engine.
type engineState interface {
	observe.EngineState
	Running() bool
}

func (m *server) handler(e engineState, c clock.PassiveClock) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.metrics.Handler(e))
	mux.Handle("GET /debug/decisions", m.decisions)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		for _, q := range e.Quarantines() {
			if q.Evaluation && c.Since(q.Since) > stuckAfter {
				http.Error(w, fmt.Sprintf("trigger %q: an evaluation of its CUE does not end", q.Trigger), http.StatusServiceUnavailable)
				return
			}
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !e.Running() {
			http.Error(w, "takes no events", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}
