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

package observe

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// EngineState is the current state of an engine, as *engine.Engine reports it.
type EngineState interface {
	Backlogs() map[event.TriggerRef]engine.Backlog
	Quarantines() []engine.Quarantine
	Pauses() []engine.Pause
}

// gauges collects the gauges of an EngineState on each scrape.
type gauges struct {
	EngineState
	clock clock.PassiveClock
}

func describe(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, []string{"trigger"}, nil)
}

func queued() *prometheus.Desc {
	return describe("queued_events", "Events in progress: queued, running, or waiting for a retry. At --queue-size the source waits.")
}

func lag() *prometheus.Desc {
	return describe("resume_lag_seconds", "Age of the oldest event in progress, where a restart resumes; 0 if there is none.")
}

func queuedBytes() *prometheus.Desc {
	return describe("queued_bytes", "Approximate memory of the data of events in progress. All triggers share --queue-bytes.")
}

func unloaded() *prometheus.Desc {
	return describe("unloaded_events", "Events in progress whose data was dropped, and is read again before they are handled.")
}

func blocked() *prometheus.Desc {
	return describe("blocked_events_total", "Events that waited at their source because the trigger held too many bytes, since the triggers last changed.")
}

func quarantined() *prometheus.Desc {
	return describe("quarantined", "1 if the trigger handles no events because its CUE or its actions hang, or its CUE has crashed the process.")
}

func paused() *prometheus.Desc {
	return describe("paused", "1 if the trigger handles only single events, of all objects or of one, because they seem to be caused by its own actions.")
}

// Describe implements prometheus.Collector.
func (g gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{queued(), queuedBytes(), unloaded(), blocked(), lag(), quarantined(), paused()} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (g gauges) Collect(ch chan<- prometheus.Metric) {
	inQuarantine := map[event.TriggerRef]bool{}
	for _, q := range g.Quarantines() {
		inQuarantine[q.Trigger] = true
	}
	isPaused := map[event.TriggerRef]bool{}
	for _, p := range g.Pauses() {
		isPaused[p.Trigger] = true
	}
	gauge := func(d *prometheus.Desc, value float64, t event.TriggerRef) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, t.String())
	}
	queuedDesc, bytesDesc, unloadedDesc, blockedDesc, lagDesc, quarantinedDesc, pausedDesc := queued(), queuedBytes(), unloaded(), blocked(), lag(), quarantined(), paused()
	for t, b := range g.Backlogs() {
		lagSeconds := 0.0
		if !b.Oldest.IsZero() {
			lagSeconds = g.clock.Since(b.Oldest).Seconds()
		}
		gauge(queuedDesc, float64(b.Events), t)
		gauge(bytesDesc, float64(b.Bytes), t)
		gauge(unloadedDesc, float64(b.Unloaded), t)
		ch <- prometheus.MustNewConstMetric(blockedDesc, prometheus.CounterValue, float64(b.Blocked), t.String())
		gauge(lagDesc, lagSeconds, t)
		gauge(quarantinedDesc, number(inQuarantine[t]), t)
		gauge(pausedDesc, number(isPaused[t]), t)
	}
}

// number returns 1 for true.
func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
