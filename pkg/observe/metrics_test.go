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

package observe_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	testclock "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/observe"
)

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// fakeEngine has one trigger that is behind, one in quarantine, and one at rest.
type fakeEngine struct{}

func (fakeEngine) Backlogs() map[event.TriggerRef]engine.Backlog {
	return map[event.TriggerRef]engine.Backlog{
		{Name: "behind", Namespace: "default"}: {Events: 7, Oldest: noon().Add(-90 * time.Second)},
		{Name: "barred"}:                       {Events: 1, Oldest: noon()},
		{Name: "rests"}:                        {},
	}
}

func (fakeEngine) Quarantines() []engine.Quarantine {
	return []engine.Quarantine{{Trigger: event.TriggerRef{Name: "barred"}}}
}

func scrape(t *testing.T, m *observe.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler(fakeEngine{}).ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/metrics", http.NoBody))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func want(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
}

// observed is what metrics show of each kind of thing that happens.
func observed() *observe.Metrics {
	m := observe.NewMetrics(testclock.NewFakePassiveClock(noon()))
	t := event.TriggerRef{Name: "notify", Namespace: "default"}
	for _, d := range []engine.Decision{
		{Trigger: t, Outcome: engine.Suppressed, Reason: engine.ReasonOwnWrite},
		{Trigger: t, Outcome: engine.Filtered, Reason: `context.data.a == "x" is false`},
		{Trigger: t, Outcome: engine.Filtered, Reason: `context.data.b is absent`},
		{Trigger: t, Outcome: engine.Failed, Reason: engine.ReasonTimeout, Attempt: 1, Duration: 10 * time.Second},
		{Trigger: t, Outcome: engine.Succeeded, Attempt: 2, Duration: time.Second, Age: 15 * time.Second},
		{Trigger: t, Outcome: engine.DeadLettered, Reason: engine.ReasonTerminal, Attempt: 1, Duration: time.Second},
		{Trigger: t, Outcome: engine.DeadLettered, Reason: engine.ReasonQuarantined},
	} {
		m.Observe(d)
	}
	m.ObserveSource(engine.SourceFailure{Source: "resource-watcher"})
	m.ObserveDeadLetter(engine.DeadLetterResult{Trigger: t, ID: "x"})
	m.ObserveDeadLetter(engine.DeadLetterResult{Trigger: t, Err: errors.New("disk full")})
	m.ObserveStoreError()
	return m
}

func TestMetrics(t *testing.T) {
	want(t, scrape(t, observed()),
		`kube_trigger_events_total{outcome="suppressed",reason="OwnWrite",trigger="default/notify"} 1`,
		`kube_trigger_events_total{outcome="filtered",reason="FilterSaidNo",trigger="default/notify"} 2`,
		`kube_trigger_events_total{outcome="acted",reason="",trigger="default/notify"} 1`,
		`kube_trigger_action_duration_seconds_count{trigger="default/notify"} 3`,
		`kube_trigger_action_duration_seconds_sum{trigger="default/notify"} 12`,
		`kube_trigger_event_age_seconds_sum{trigger="default/notify"} 15`,
		`kube_trigger_retries_total{trigger="default/notify"} 1`,
		`kube_trigger_dead_letters_total{trigger="default/notify"} 1`,
		`kube_trigger_dead_letter_errors_total{trigger="default/notify"} 1`,
		`kube_trigger_source_failures_total{source="resource-watcher"} 1`,
		`kube_trigger_store_errors_total 1`,
		`kube_trigger_queued_events{trigger="default/behind"} 7`,
		`kube_trigger_resume_lag_seconds{trigger="default/behind"} 90`,
		`kube_trigger_resume_lag_seconds{trigger="rests"} 0`,
		`kube_trigger_quarantined{trigger="barred"} 1`,
		`kube_trigger_quarantined{trigger="rests"} 0`,
	)
}

// TestConventions holds names and helps to those of Prometheus.
func TestConventions(t *testing.T) {
	problems, err := promlint.New(strings.NewReader(scrape(t, observed()))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestSeriesAreBounded has a thousand different reasons of a filter.
func TestSeriesAreBounded(t *testing.T) {
	m := observed()
	before := strings.Count(scrape(t, m), "\n")
	for i := range 1000 {
		m.Observe(engine.Decision{
			Trigger: event.TriggerRef{Name: "notify", Namespace: "default"}, Outcome: engine.Filtered,
			Event: engine.EventRef{Key: fmt.Sprint(i), ID: fmt.Sprint(i)}, Reason: fmt.Sprintf("context.data.n == %d is false", i),
		})
	}
	if after := strings.Count(scrape(t, m), "\n"); after != before {
		t.Errorf("%d lines have become %d", before, after)
	}
}

func TestKeepForgetsTheOthers(t *testing.T) {
	m := observed()
	kept := event.TriggerRef{Name: "kept"}
	m.Observe(engine.Decision{Trigger: kept, Outcome: engine.Succeeded, Attempt: 1})
	m.Retain([]event.TriggerRef{kept})
	text := scrape(t, m)
	if strings.Contains(text, "default/notify") {
		t.Error("series of a trigger that is gone")
	}
	want(t, text, `kube_trigger_events_total{outcome="acted",reason="",trigger="kept"} 1`)
	// One that comes back begins anew.
	m.Observe(engine.Decision{Trigger: event.TriggerRef{Name: "notify", Namespace: "default"}, Outcome: engine.Succeeded, Attempt: 1})
	want(t, scrape(t, m),
		`kube_trigger_events_total{outcome="acted",reason="",trigger="default/notify"} 1`,
		`kube_trigger_action_duration_seconds_count{trigger="default/notify"} 1`)
}

func BenchmarkObserve(b *testing.B) {
	m := observed()
	d := engine.Decision{Trigger: event.TriggerRef{Name: "notify", Namespace: "default"}, Outcome: engine.Suppressed, Reason: "NotSubscribed"}
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(d)
	}
}
