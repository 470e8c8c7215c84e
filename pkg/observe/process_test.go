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
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	testclock "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/observe"
)

// TestProcess serves the metrics of the process, and those of two TriggerServices whose
// triggers have equal names.
func TestProcess(t *testing.T) {
	p := observe.NewProcess()
	p.SetNames(2000, 3)
	var all prometheus.Gatherers
	for _, service := range []string{"web", "jobs"} {
		m := observe.NewMetrics(service, testclock.NewFakePassiveClock(now()))
		m.Observe(engine.Decision{Trigger: event.TriggerRef{Namespace: "team-a", Name: "notify"}, Outcome: engine.Succeeded})
		all = append(all, m.Gatherer(fakeEngine{}))
	}
	w := httptest.NewRecorder()
	p.Handler(func() prometheus.Gatherers { return all }).
		ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	want(t, w.Body.String(),
		`kube_trigger_field_names 2000`,
		`kube_trigger_renewals 3`,
		`kube_trigger_events_total{outcome="succeeded",reason="",trigger="team-a/notify",triggerservice="jobs"} 1`,
		`kube_trigger_events_total{outcome="succeeded",reason="",trigger="team-a/notify",triggerservice="web"} 1`,
		`kube_trigger_queued_events{trigger="default/behind",triggerservice="web"} 7`,
		`kube_trigger_store_errors_total{triggerservice="web"} 0`,
	)
}
