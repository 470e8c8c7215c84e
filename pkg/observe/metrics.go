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

// Package observe provides the metrics and the recent decisions of triggers, for
// users who want to know why a trigger did or did not act.
//
// Metrics have one series for each trigger, outcome and reason. All of these sets
// are small, and no label contains data of an event. Those of the triggers of a
// TriggerService have its name as the label `triggerservice`. Decisions identify an event,
// but contain none of its data either.
package observe

import (
	"maps"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// ReasonFilter is the reason label of all filtered events. The filter's own
// reason is a sentence, which the DecisionLog keeps.
const ReasonFilter = "NoMatch"

// Metrics are the Prometheus metrics of the triggers of a configuration or a TriggerService,
// in their own registry. They are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	labels   prometheus.Labels
	clock    clock.PassiveClock

	events           *prometheus.CounterVec
	age              *prometheus.HistogramVec
	duration         *prometheus.HistogramVec
	retries          *prometheus.CounterVec
	deadLetters      *prometheus.CounterVec
	deadLetterErrors *prometheus.CounterVec
	sourceErrors     *prometheus.CounterVec
	rejections       *prometheus.CounterVec
	storeErrors      prometheus.Counter

	mu     sync.RWMutex
	counts map[counterKey]prometheus.Counter
	series map[event.TriggerRef]series
	// rejected has the triggers with series of rejections.
	rejected map[event.TriggerRef]bool
}

// counterKey identifies a counter of events.
type counterKey struct {
	trigger event.TriggerRef
	outcome engine.Outcome
	reason  string
}

// series are the series of one trigger.
type series struct {
	age, duration prometheus.Observer
	retries       prometheus.Counter
}

var _ engine.Observer = (*Metrics)(nil)

// NewMetrics returns the metrics of a TriggerService, or of a configuration, which has no
// name. c is the clock for the ages of events.
func NewMetrics(service string, c clock.PassiveClock) *Metrics {
	labels := prometheus.Labels{}
	if service != "" {
		labels["triggerservice"] = service
	}
	m := &Metrics{
		labels:   labels,
		registry: prometheus.NewRegistry(),
		clock:    c,
		counts:   map[counterKey]prometheus.Counter{}, series: map[event.TriggerRef]series{}, rejected: map[event.TriggerRef]bool{},
		events: counter("events_total", "Decisions of triggers about events, by outcome and reason.", "trigger", "outcome", "reason"),
		age: histogram("event_age_seconds", "Age of events when their action succeeded, since the source received them.",
			prometheus.ExponentialBuckets(0.005, 3, 10)),
		duration: histogram("action_duration_seconds", "Duration of attempts of actions, including failed ones.",
			prometheus.ExponentialBuckets(0.002, 3, 9)),
		retries:          counter("retries_total", "Failed attempts of actions that are followed by another attempt.", "trigger"),
		deadLetters:      counter("dead_letters_total", "Dead letters stored.", "trigger"),
		deadLetterErrors: counter("dead_letter_errors_total", "Failed attempts to store a dead letter. They are repeated, and the event stays in progress until one succeeds.", "trigger"),
		sourceErrors:     counter("source_failures_total", "Failures of sources, each followed by a restart of the source.", "source"),
		rejections:       counter("webhook_rejections_total", "Rejected requests to webhooks, by trigger and reason. The trigger is empty if no webhook has the path.", "trigger", "reason"),
		storeErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "store_errors_total", Help: "Failed attempts to save progress to the store. They are repeated.",
		}),
	}
	prometheus.WrapRegistererWith(labels, m.registry).MustRegister(m.events, m.age, m.duration, m.retries, m.deadLetters, m.deadLetterErrors, m.sourceErrors,
		m.rejections, m.storeErrors)
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
	key := counterKey{d.Trigger, d.Outcome, d.Reason}
	if d.Outcome == engine.Filtered {
		key.reason = ReasonFilter
	}
	m.mu.RLock()
	counter, ok := m.counts[key]
	m.mu.RUnlock()
	if !ok {
		counter = m.newCounter(key)
	}
	counter.Inc()
	switch {
	case d.Outcome == engine.Succeeded:
		s := m.triggerSeries(d.Trigger)
		s.age.Observe(d.Age.Seconds())
		s.duration.Observe(d.Duration.Seconds())
	case d.Outcome == engine.Failed && d.Attempt > 0:
		s := m.triggerSeries(d.Trigger)
		s.retries.Inc()
		s.duration.Observe(d.Duration.Seconds())
	case d.Outcome == engine.Skipped, d.Outcome == engine.DeadLettered && d.Attempt > 0:
		m.triggerSeries(d.Trigger).duration.Observe(d.Duration.Seconds())
	}
}

func (m *Metrics) newCounter(key counterKey) prometheus.Counter {
	c := m.events.WithLabelValues(key.trigger.String(), string(key.outcome), key.reason)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts[key] = c
	return c
}

func (m *Metrics) triggerSeries(t event.TriggerRef) series {
	m.mu.RLock()
	s, ok := m.series[t]
	m.mu.RUnlock()
	if ok {
		return s
	}
	name := t.String()
	s = series{m.age.WithLabelValues(name), m.duration.WithLabelValues(name), m.retries.WithLabelValues(name)}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.series[t] = s
	return s
}

// ObserveSource implements engine.Observer.
func (m *Metrics) ObserveSource(f engine.SourceFailure) {
	m.sourceErrors.WithLabelValues(f.Source).Inc()
}

// ObserveDeadLetter implements engine.Observer.
func (m *Metrics) ObserveDeadLetter(res engine.DeadLetterResult) {
	if res.Err != nil {
		m.deadLetterErrors.WithLabelValues(res.Trigger.String()).Inc()
		return
	}
	m.deadLetters.WithLabelValues(res.Trigger.String()).Inc()
}

// ObserveRejection counts a request that a webhook rejected. trigger is empty if no webhook
// has its path; reason is one of a small set.
func (m *Metrics) ObserveRejection(trigger event.TriggerRef, reason string) {
	name := ""
	if trigger != (event.TriggerRef{}) {
		name = trigger.String()
		m.mu.RLock()
		known := m.rejected[trigger]
		m.mu.RUnlock()
		if !known {
			m.mu.Lock()
			m.rejected[trigger] = true
			m.mu.Unlock()
		}
	}
	m.rejections.WithLabelValues(name, reason).Inc()
}

// Retain removes the series of all other triggers.
func (m *Metrics) Retain(triggers []event.TriggerRef) {
	m.mu.Lock()
	defer m.mu.Unlock()
	removed := map[event.TriggerRef]bool{}
	for key := range m.counts {
		removed[key.trigger] = !slices.Contains(triggers, key.trigger)
	}
	for t := range m.rejected {
		removed[t] = !slices.Contains(triggers, t)
	}
	for t, gone := range removed {
		if !gone {
			continue
		}
		delete(m.series, t)
		delete(m.rejected, t)
		maps.DeleteFunc(m.counts, func(key counterKey, _ prometheus.Counter) bool { return key.trigger == t })
		labels := prometheus.Labels{"trigger": t.String()}
		for _, v := range []interface{ DeletePartialMatch(prometheus.Labels) int }{
			m.events, m.age, m.duration, m.retries, m.deadLetters, m.deadLetterErrors, m.rejections,
		} {
			v.DeletePartialMatch(labels)
		}
	}
}

// ObserveStoreError counts a failed attempt to save progress to the store.
func (m *Metrics) ObserveStoreError() { m.storeErrors.Inc() }

// Gatherer returns the metrics, and the gauges of s when it gathers.
func (m *Metrics) Gatherer(s EngineState) prometheus.Gatherer {
	state := prometheus.NewRegistry()
	prometheus.WrapRegistererWith(m.labels, state).MustRegister(gauges{s, m.clock})
	return prometheus.Gatherers{m.registry, state}
}
