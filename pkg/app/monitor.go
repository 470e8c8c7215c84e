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

package app

import (
	"slices"
	"strings"
	"sync/atomic"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/observe"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
)

// monitor collects what a server reports about a configuration or a TriggerService.
type monitor struct {
	name      string
	metrics   *observe.Metrics
	decisions *observe.DecisionLog
	// engine is nil before the first engine runs.
	engine atomic.Pointer[engineState]
}

// engineState is the state of an engine.
type engineState interface {
	observe.EngineState
	Running() bool
}

// monitor returns a new monitor of a TriggerService, or of a configuration, which has no
// name. The server reports on it until release is called.
func (s *server) monitor(service string) (m *monitor, release func()) {
	m = &monitor{name: service, metrics: observe.NewMetrics(service, clock.RealClock{}), decisions: &observe.DecisionLog{Service: service}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.monitors = append(s.monitors, m)
	slices.SortStableFunc(s.monitors, func(a, b *monitor) int { return strings.Compare(a.name, b.name) })
	return m, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.monitors = slices.DeleteFunc(s.monitors, func(other *monitor) bool { return other == m })
	}
}

// observers returns the observers that record the results of an engine.
func (m *monitor) observers() []engine.Observer {
	return []engine.Observer{m.metrics, m.decisions}
}

func (m *monitor) storeFailed() {
	m.metrics.ObserveStoreError()
}

// observeRejection counts a request that a webhook rejected.
func (m *monitor) observeRejection(r webhook.Rejection) {
	m.metrics.ObserveRejection(r.Trigger, r.Reason)
}

// setEngine has the server report on e. It drops the records of triggers that e
// does not have.
func (m *monitor) setEngine(e *engine.Engine) {
	state := engineState(e)
	m.engine.Store(&state)
	m.metrics.Retain(e.Triggers())
	m.decisions.Retain(e.Triggers())
}

// Backlogs implements observe.EngineState.
func (m *monitor) Backlogs() map[event.TriggerRef]engine.Backlog {
	if e := m.engine.Load(); e != nil {
		return (*e).Backlogs()
	}
	return nil
}

// Quarantines implements observe.EngineState.
func (m *monitor) Quarantines() []engine.Quarantine {
	if e := m.engine.Load(); e != nil {
		return (*e).Quarantines()
	}
	return nil
}

// Pauses implements observe.EngineState.
func (m *monitor) Pauses() []engine.Pause {
	if e := m.engine.Load(); e != nil {
		return (*e).Pauses()
	}
	return nil
}

// Running reports whether the engine accepts events.
func (m *monitor) Running() bool {
	e := m.engine.Load()
	return e != nil && (*e).Running()
}
