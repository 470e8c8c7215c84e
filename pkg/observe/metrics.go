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

// Package metrics counts what triggers decide, in Prometheus' format.
//
// There are as many series as triggers, outcomes and reasons, all of which are
// few; nothing of an event is a label.
package observe

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// ReasonFilter is the reason of all that filters leave out: their own is a
// sentence, and which one it is can be seen in the decisions.
const ReasonFilter = "FilterSaidNo"

// Metrics are the counters of one process, in a registry of their own. They are
// safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	clock    clock.PassiveClock

	events        *prometheus.CounterVec
	age           *prometheus.HistogramVec
	duration      *prometheus.HistogramVec
	retries       *prometheus.CounterVec
	letters       *prometheus.CounterVec
	letterErrors  *prometheus.CounterVec
	sourceErrors  *prometheus.CounterVec
	storeFailures prometheus.Counter

	mu     sync.RWMutex
	counts map[count]prometheus.Counter
	series map[event.Trigger]series
}

// count names a counter of events.
type count struct {
	trigger event.Trigger
	outcome engine.Outcome
	reason  string
}

// series are those of one trigger.
type series struct {
	age, duration prometheus.Observer
	retries       prometheus.Counter
}

var (
	_ engine.Observer       = (*Metrics)(nil)
	_ engine.SourceObserver = (*Metrics)(nil)
	_ engine.LetterObserver = (*Metrics)(nil)
)

// NewMetrics returns metrics that have counted nothing.
func NewMetrics(c clock.PassiveClock) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		clock:    c,
		counts:   map[count]prometheus.Counter{}, series: map[event.Trigger]series{},
		events: counter("events_total", "What triggers decided about events, and why.", "trigger", "outcome", "reason"),
		age: histogram("event_age_seconds", "Age of events when they were acted on, since the source saw them.",
			prometheus.ExponentialBuckets(0.005, 3, 10)),
		duration: histogram("action_duration_seconds", "Duration of attempts at actions.",
			prometheus.ExponentialBuckets(0.002, 3, 9)),
		retries:      counter("retries_total", "Attempts at actions that failed, and are followed by another one.", "trigger"),
		letters:      counter("dead_letters_total", "Events given up and stored.", "trigger"),
		letterErrors: counter("dead_letter_errors_total", "Attempts to store an event that was given up which failed.", "trigger"),
		sourceErrors: counter("source_failures_total", "Failures of sources, each followed by another start.", "source"),
		storeFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "store_errors_total", Help: "Attempts to save what is done which failed.",
		}),
	}
	m.registry.MustRegister(m.events, m.age, m.duration, m.retries, m.letters, m.letterErrors, m.sourceErrors,
		m.storeFailures, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

const namespace = "kube_trigger"

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help, Buckets: buckets,
	}, []string{"trigger"})
}

// Observe implements engine.Observer.
func (m *Metrics) Observe(d engine.Decision) {
	key := count{d.Trigger, d.Outcome, d.Reason}
	if d.Outcome == engine.Filtered {
		key.reason = ReasonFilter
	}
	m.mu.RLock()
	counted, known := m.counts[key]
	m.mu.RUnlock()
	if !known {
		counted = m.count(key)
	}
	counted.Inc()
	switch {
	case d.Outcome == engine.Acted:
		s := m.of(d.Trigger)
		s.age.Observe(d.Age.Seconds())
		s.duration.Observe(d.Duration.Seconds())
	case d.Outcome == engine.Failed:
		s := m.of(d.Trigger)
		s.retries.Inc()
		s.duration.Observe(d.Duration.Seconds())
	case d.Outcome == engine.Skipped, d.Outcome == engine.GivenUp && d.Attempt > 0:
		m.of(d.Trigger).duration.Observe(d.Duration.Seconds())
	}
}

func (m *Metrics) count(key count) prometheus.Counter {
	c := m.events.WithLabelValues(key.trigger.String(), string(key.outcome), key.reason)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts[key] = c
	return c
}

func (m *Metrics) of(t event.Trigger) series {
	m.mu.RLock()
	s, known := m.series[t]
	m.mu.RUnlock()
	if known {
		return s
	}
	name := t.String()
	s = series{m.age.WithLabelValues(name), m.duration.WithLabelValues(name), m.retries.WithLabelValues(name)}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.series[t] = s
	return s
}

// ObserveSource implements engine.SourceObserver.
func (m *Metrics) ObserveSource(f engine.SourceFailure) {
	m.sourceErrors.WithLabelValues(f.Source).Inc()
}

// ObserveBurial implements engine.LetterObserver.
func (m *Metrics) ObserveBurial(b engine.Burial) {
	if b.Err != nil {
		m.letterErrors.WithLabelValues(b.Trigger.String()).Inc()
		return
	}
	m.letters.WithLabelValues(b.Trigger.String()).Inc()
}

// Keep forgets the series of all triggers but these.
func (m *Metrics) Keep(triggers []event.Trigger) {
	m.mu.Lock()
	defer m.mu.Unlock()
	gone := map[event.Trigger]bool{}
	for key := range m.counts {
		gone[key.trigger] = !slices.Contains(triggers, key.trigger)
	}
	for t, is := range gone {
		if !is {
			continue
		}
		delete(m.series, t)
		maps.DeleteFunc(m.counts, func(key count, _ prometheus.Counter) bool { return key.trigger == t })
		labels := prometheus.Labels{"trigger": t.String()}
		for _, v := range []interface{ DeletePartialMatch(prometheus.Labels) int }{
			m.events, m.age, m.duration, m.retries, m.letters, m.letterErrors,
		} {
			v.DeletePartialMatch(labels)
		}
	}
}

// StoreFailed counts a failure to save what is done.
func (m *Metrics) StoreFailed() { m.storeFailures.Inc() }

// Handler serves the metrics, and those of the state as it is when it is asked.
func (m *Metrics) Handler(s State) http.Handler {
	state := prometheus.NewRegistry()
	state.MustRegister(gauges{s, m.clock})
	return promhttp.HandlerFor(prometheus.Gatherers{m.registry, state}, promhttp.HandlerOpts{Timeout: 10 * time.Second})
}
