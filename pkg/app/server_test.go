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
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	testclock "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/access"
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
func (p fakeEngine) Pauses() []engine.Pause                        { return nil }

// newTestServer returns a server that reports on e.
func newTestServer(e engineState) *server {
	s := &server{process: observe.NewProcess()}
	m, _ := s.monitor("")
	m.engine.Store(&e)
	return s
}

// TestServer_Health fails /healthz while an evaluation of CUE does not end, which only
// a restart ends, but not while an action hangs.
func TestServer_Health(t *testing.T) {
	now := testclock.NewFakePassiveClock(time.Now())
	stuck := engine.Quarantine{Trigger: event.TriggerRef{Name: "web"}, Evaluation: true, Since: now.Now().Add(-time.Minute)}
	slow, hung := stuck, stuck
	slow.Since, hung.Evaluation = now.Now().Add(-10*time.Second), false
	for name, c := range map[string]struct {
		engine fakeEngine
		path   string
		status int
		text   string
	}{
		"stuck":        {fakeEngine{true, stuck}, "/healthz", http.StatusServiceUnavailable, `trigger "web"`},
		"slow":         {fakeEngine{true, slow}, "/healthz", http.StatusOK, "ok"},
		"hung action":  {fakeEngine{true, hung}, "/healthz", http.StatusOK, "ok"},
		"not running":  {fakeEngine{false, hung}, "/readyz", http.StatusServiceUnavailable, "no events are accepted"},
		"stuck, ready": {fakeEngine{true, stuck}, "/readyz", http.StatusOK, "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			newTestServer(c.engine).handler(now).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.path, http.NoBody))
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.text) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}

// TestServer_LocalDecisions serves decisions only to the loopback interface, under its
// names.
func TestServer_LocalDecisions(t *testing.T) {
	handler := newTestServer(fakeEngine{}).handler(testclock.NewFakePassiveClock(time.Now()))
	for _, c := range []struct {
		from, host string
		status     int
	}{
		{"127.0.0.1:1", "localhost:8080", http.StatusOK},
		{"127.0.0.1:1", "127.0.0.1:8080", http.StatusOK},
		{"[::1]:1", "[::1]:8080", http.StatusOK},
		{"[::ffff:127.0.0.1]:1", "localhost", http.StatusOK},
		{"10.0.0.7:1", "localhost:8080", http.StatusForbidden},
		{"127.0.0.6:1", "localhost:8080", http.StatusForbidden},
		{"127.0.0.1:1", "rebound.example.com:8080", http.StatusForbidden},
		{"127.0.0.1:1", "10.0.0.7:8080", http.StatusForbidden},
		{"127.0.0.1:1", "", http.StatusForbidden},
		{"@", "localhost", http.StatusForbidden},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/debug/decisions", http.NoBody)
		r.RemoteAddr, r.Host = c.from, c.host
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("from %s to %q: status %d, want %d", c.from, c.host, w.Code, c.status)
		}
	}
}

// TestServer covers the metrics, health and decisions of a run.
func TestServer(t *testing.T) {
	e := newEnv(t)
	e.createApplication(t, "web")
	e.createConfigMap(t, "web")
	e.createConfigMap(t, "nothing")
	o := e.options(t, e.triggers())
	o.MetricsAddr = "127.0.0.1:0"
	p := startRun(t, o)
	address := fmt.Sprint(p.waitForLog(t, "serving metrics")[0]["address"])
	get := func(path string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(text)
	}
	p.waitForLog(t, "watching")
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, text := get(path); status != http.StatusOK || text != "ok\n" {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	e.setValue(t, "web", "1")
	e.setValue(t, "nothing", "1")
	p.waitForLog(t, "Action succeeded")
	p.waitForLog(t, "Event dead-lettered")
	for _, line := range []string{
		`kube_trigger_events_total{outcome="succeeded",reason="",trigger="default/bump"} 1`,
		`kube_trigger_events_total{outcome="dead-lettered",reason="RetriesExhausted",trigger="default/bump"} 1`,
		`kube_trigger_dead_letters_total{trigger="default/bump"} 1`,
		`kube_trigger_action_duration_seconds_count{trigger="default/bump"} 2`,
		`kube_trigger_event_age_seconds_count{trigger="default/bump"} 1`,
		`kube_trigger_queued_events{trigger="default/bump"} 0`,
		`kube_trigger_resume_lag_seconds{trigger="default/bump"} 0`,
		`kube_trigger_quarantined{trigger="default/missing-kind"} 0`,
	} {
		eventually(t, line, func() bool {
			_, text := get("/metrics")
			return strings.Contains(text, "\n"+line+"\n")
		})
	}
	_, text := get("/debug/decisions?trigger=default/bump&key=" + e.namespace + "/nothing")
	var body struct{ Decisions []map[string]any }
	if err := json.Unmarshal([]byte(text), &body); err != nil {
		t.Fatal(err)
	}
	if len(body.Decisions) != 3 || body.Decisions[0]["outcome"] != "dead-lettered" || body.Decisions[0]["reason"] != "RetriesExhausted" ||
		body.Decisions[1]["outcome"] != "matched" || body.Decisions[2]["outcome"] != "queued" {
		t.Errorf("decisions %s", text)
	}
	if status, _ := get("/debug/pprof/"); status != http.StatusNotFound {
		t.Errorf("/debug/pprof/: %d", status)
	}
	p.stop(t)
	o.MetricsAddr = "127.0.0.1:x"
	p = startRun(t, o)
	if err := p.wait(t); err == nil || !strings.Contains(err.Error(), "--metrics-addr 127.0.0.1:x: ") {
		t.Errorf("got %v", err)
	}
}

// TestRun_PortInUse: a port that another process uses ends the run, with the flag and the way
// to a free port.
func TestRun_PortInUse(t *testing.T) {
	e := newEnv(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	used := l.Addr().String()
	hook := e.options(t, `triggers:
  - source: {type: webhook, properties: {auth: none}}
    action: {type: log}
`)
	other := e.options(t, e.triggers())
	metrics := other
	hook.WebhookAddr, other.WebhookAddr, metrics.MetricsAddr = used, used, used
	for flag, o := range map[string]RunOptions{"--webhook-addr": hook, "--metrics-addr": metrics} {
		want := fmt.Sprintf("%s %s: the port is in use; use another one, or %s 127.0.0.1:0 for a free one, which is logged", flag, used, flag)
		if err := startRun(t, o).wait(t); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	// Without a webhook, nothing listens there.
	p := startRun(t, other)
	p.waitForLog(t, "watching")
	p.stop(t)
}

// TestServer_MetricsAuth: with a reviewer, /metrics needs a token, and health does not.
func TestServer_MetricsAuth(t *testing.T) {
	now := testclock.NewFakePassiveClock(time.Now())
	s := newTestServer(fakeEngine{running: true})
	s.reviewer = access.NewReviewer(nil, now)
	for path, want := range map[string]int{"/metrics": http.StatusUnauthorized, "/healthz": http.StatusOK, "/readyz": http.StatusOK} {
		w := httptest.NewRecorder()
		s.handler(now).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		if w.Code != want {
			t.Errorf("%s: got %d, want %d", path, w.Code, want)
		}
	}
}

// TestControllerOptions_MetricsAuth: the controller answers no caller on /metrics that it
// cannot review.
func TestControllerOptions_MetricsAuth(t *testing.T) {
	cfg := &rest.Config{Host: "http://127.0.0.1:1"}
	for _, c := range []struct {
		auth          bool
		authorization string
		want          int
	}{{false, "", http.StatusOK}, {true, "", http.StatusUnauthorized}, {true, "Bearer x", http.StatusServiceUnavailable}} {
		h, err := ControllerOptions{MetricsAuth: c.auth}.metricsHandler(cfg, http.DefaultClient)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
		r.Header.Set("Authorization", c.authorization)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("with auth %v, %q: got %d, want %d", c.auth, c.authorization, w.Code, c.want)
		}
	}
}
