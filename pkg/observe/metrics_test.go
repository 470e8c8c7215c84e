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

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	testclock "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/observe"
)

func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// fakeEngine has one trigger with a lag, one in quarantine, and one without
// events.
type fakeEngine struct{}

func (fakeEngine) Backlogs() map[event.TriggerRef]engine.Backlog {
	return map[event.TriggerRef]engine.Backlog{
		{Name: "behind", Namespace: "default"}: {Events: 7, Oldest: now().Add(-90 * time.Second), Bytes: 1024, Unloaded: 3, Blocked: 2},
		{Name: "stuck"}:                        {Events: 1, Oldest: now()},
		{Name: "idle"}:                         {},
	}
}

func (fakeEngine) Quarantines() []engine.Quarantine {
	return []engine.Quarantine{{Trigger: event.TriggerRef{Name: "stuck"}}}
}

func (fakeEngine) Pauses() []engine.Pause {
	return []engine.Pause{{Trigger: event.TriggerRef{Name: "behind", Namespace: "default"}}}
}

func scrape(t *testing.T, m *observe.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	observe.NewProcess().Handler(func() prometheus.Gatherers { return prometheus.Gatherers{m.Gatherer(fakeEngine{})} }).ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/metrics", http.NoBody))
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

// observed returns metrics after one event of each kind.
func observed() *observe.Metrics {
	m := observe.NewMetrics("", testclock.NewFakePassiveClock(now()))
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
	for _, reason := range []string{"Unauthorized", "Unauthorized", "Malformed"} {
		m.ObserveRejection(t, reason)
	}
	m.ObserveRejection(event.TriggerRef{}, "NotFound")
	return m
}

func TestMetrics(t *testing.T) {
	want(t, scrape(t, observed()),
		`kube_trigger_events_total{outcome="suppressed",reason="OwnWrite",trigger="default/notify"} 1`,
		`kube_trigger_events_total{outcome="filtered",reason="NoMatch",trigger="default/notify"} 2`,
		`kube_trigger_events_total{outcome="succeeded",reason="",trigger="default/notify"} 1`,
		`kube_trigger_action_duration_seconds_count{trigger="default/notify"} 3`,
		`kube_trigger_action_duration_seconds_sum{trigger="default/notify"} 12`,
		`kube_trigger_event_age_seconds_sum{trigger="default/notify"} 15`,
		`kube_trigger_retries_total{trigger="default/notify"} 1`,
		`kube_trigger_dead_letters_total{trigger="default/notify"} 1`,
		`kube_trigger_dead_letter_errors_total{trigger="default/notify"} 1`,
		`kube_trigger_source_failures_total{source="resource-watcher"} 1`,
		`kube_trigger_store_errors_total 1`,
		`kube_trigger_webhook_rejections_total{reason="Unauthorized",trigger="default/notify"} 2`,
		`kube_trigger_webhook_rejections_total{reason="Malformed",trigger="default/notify"} 1`,
		`kube_trigger_webhook_rejections_total{reason="NotFound",trigger=""} 1`,
		`kube_trigger_queued_events{trigger="default/behind"} 7`,
		`kube_trigger_queued_bytes{trigger="default/behind"} 1024`,
		`kube_trigger_unloaded_events{trigger="default/behind"} 3`,
		`kube_trigger_blocked_events_total{trigger="default/behind"} 2`,
		`kube_trigger_resume_lag_seconds{trigger="default/behind"} 90`,
		`kube_trigger_resume_lag_seconds{trigger="idle"} 0`,
		`kube_trigger_quarantined{trigger="stuck"} 1`,
		`kube_trigger_quarantined{trigger="idle"} 0`,
		`kube_trigger_paused{trigger="default/behind"} 1`,
		`kube_trigger_paused{trigger="idle"} 0`,
	)
}

// TestMetrics_Lint checks the names and help texts against Prometheus'
// conventions.
func TestMetrics_Lint(t *testing.T) {
	problems, err := promlint.New(strings.NewReader(scrape(t, observed()))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestMetrics_SeriesLimit observes a thousand different reasons of a filter.
func TestMetrics_SeriesLimit(t *testing.T) {
	m := observed()
	before := strings.Count(scrape(t, m), "\n")
	for i := range 1000 {
		m.Observe(engine.Decision{
			Trigger: event.TriggerRef{Name: "notify", Namespace: "default"}, Outcome: engine.Filtered,
			Event: engine.EventRef{Key: fmt.Sprint(i), ID: fmt.Sprint(i)}, Reason: fmt.Sprintf("context.data.n == %d is false", i),
		})
	}
	if after := strings.Count(scrape(t, m), "\n"); after != before {
		t.Errorf("%d lines before, %d after", before, after)
	}
}

func TestMetrics_Retain(t *testing.T) {
	m := observed()
	kept := event.TriggerRef{Name: "kept"}
	m.Observe(engine.Decision{Trigger: kept, Outcome: engine.Succeeded, Attempt: 1})
	m.Retain([]event.TriggerRef{kept})
	text := scrape(t, m)
	if strings.Contains(text, "default/notify") {
		t.Error("series of a removed trigger")
	}
	want(t, text, `kube_trigger_events_total{outcome="succeeded",reason="",trigger="kept"} 1`)
	// A trigger that is added again starts from 0.
	m.Observe(engine.Decision{Trigger: event.TriggerRef{Name: "notify", Namespace: "default"}, Outcome: engine.Succeeded, Attempt: 1})
	want(t, scrape(t, m),
		`kube_trigger_events_total{outcome="succeeded",reason="",trigger="default/notify"} 1`,
		`kube_trigger_action_duration_seconds_count{trigger="default/notify"} 1`)
}

func BenchmarkMetrics_Observe(b *testing.B) {
	m := observed()
	d := engine.Decision{Trigger: event.TriggerRef{Name: "notify", Namespace: "default"}, Outcome: engine.Suppressed, Reason: "NotSubscribed"}
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(d)
	}
}

// TestMetrics_RetainRejections removes the rejections of a trigger that is gone and never had
// an event, and no others.
func TestMetrics_RetainRejections(t *testing.T) {
	m := observe.NewMetrics("", testclock.NewFakePassiveClock(now()))
	kept := event.TriggerRef{Namespace: "a", Name: "kept"}
	for _, trigger := range []event.TriggerRef{kept, {Namespace: "a", Name: "gone"}, {}} {
		m.ObserveRejection(trigger, "Unauthorized")
	}
	m.Retain([]event.TriggerRef{kept})
	text := scrape(t, m)
	want(t, text,
		`kube_trigger_webhook_rejections_total{reason="Unauthorized",trigger="a/kept"} 1`,
		`kube_trigger_webhook_rejections_total{reason="Unauthorized",trigger=""} 1`,
	)
	if strings.Contains(text, "a/gone") {
		t.Error("the series of the trigger that is gone remains")
	}
}
