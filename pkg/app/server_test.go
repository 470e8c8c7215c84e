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
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/observe"
)

// fakeEngine is an engine with one trigger in quarantine.
type fakeEngine struct {
	running    bool
	quarantine engine.Quarantine
}

func (p fakeEngine) Running() bool                                 { return p.running }
func (p fakeEngine) Backlogs() map[event.TriggerRef]engine.Backlog { return nil }
func (p fakeEngine) Quarantines() []engine.Quarantine              { return []engine.Quarantine{p.quarantine} }

// TestHealth says that a process is better ended which evaluates CUE without end,
// and not because of an action that hangs.
func TestHealth(t *testing.T) {
	now := testclock.NewFakePassiveClock(time.Now())
	m := &server{metrics: observe.NewMetrics(now), decisions: &observe.DecisionLog{}}
	bomb := engine.Quarantine{Trigger: event.TriggerRef{Name: "bomb"}, Evaluation: true, Since: now.Now().Add(-time.Minute)}
	young, hung := bomb, bomb
	young.Since, hung.Evaluation = now.Now().Add(-10*time.Second), false
	for name, c := range map[string]struct {
		of     fakeEngine
		path   string
		status int
		text   string
	}{
		"an evaluation without end":   {fakeEngine{true, bomb}, "/healthz", http.StatusServiceUnavailable, `trigger "bomb"`},
		"one that takes long":         {fakeEngine{true, young}, "/healthz", http.StatusOK, "ok"},
		"an action that hangs":        {fakeEngine{true, hung}, "/healthz", http.StatusOK, "ok"},
		"before and after it runs":    {fakeEngine{false, hung}, "/readyz", http.StatusServiceUnavailable, "takes no events"},
		"stuck, but for others ready": {fakeEngine{true, bomb}, "/readyz", http.StatusOK, "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			m.handler(c.of, now).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.path, http.NoBody))
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.text) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}
