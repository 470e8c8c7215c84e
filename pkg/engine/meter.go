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

package engine

import "time"

// meter measures rates and latencies of events. The zero value has counted none.
type meter struct {
	count       int
	first, last time.Time
	// marks are the times of the last two events whose numbers are multiples of LoopLimit,
	// and latencies the longest from the end of an action to one of the events since.
	marks     [2]time.Time
	latencies [2]time.Duration
}

// add counts an event, and returns the time since the one before.
func (m *meter) add(now time.Time, latency time.Duration) time.Duration {
	if m.count == 0 {
		m.first, m.last, m.marks = now, now, [2]time.Time{now, now}
	}
	if m.count%LoopLimit == 0 {
		m.marks = [2]time.Time{m.marks[1], now}
		m.latencies = [2]time.Duration{m.latencies[1], 0}
	}
	m.latencies[1] = max(m.latencies[1], latency)
	since := now.Sub(m.last)
	m.last = now
	m.count++
	return since
}

// latency returns the longest latency of the last LoopLimit to twice LoopLimit events.
func (m *meter) latency() time.Duration { return max(m.latencies[0], m.latencies[1]) }

// average returns the number of events per second.
func (m *meter) average() float64 { return perSecond(m.count, m.last.Sub(m.first)) }

// recent returns the number per second of the last LoopLimit to twice LoopLimit events.
func (m *meter) recent(now time.Time) float64 {
	return perSecond(min(m.count, LoopLimit+(m.count-1)%LoopLimit+1), now.Sub(m.marks[0]))
}

func perSecond(n int, d time.Duration) float64 {
	return float64(n) / max(d, time.Millisecond).Seconds()
}
