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

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller/workload"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// server is an HTTP server that records the times and the concurrency of requests by path.
// A request of /slow takes 300 ms, from when there have been two at once; a request of /hang
// ends when the client cancels it.
type server struct {
	*httptest.Server
	mu            sync.Mutex
	calls         map[string][]time.Time
	active        map[string]int
	maxConcurrent map[string]int
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{calls: map[string][]time.Time{}, active: map[string]int{}, maxConcurrent: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.onStart(r.URL.Path)
		defer s.onEnd(r.URL.Path)
		switch r.URL.Path {
		case "/slow":
			for n := 0; n < 2 && r.Context().Err() == nil; time.Sleep(time.Millisecond) {
				_, n = s.stats("/slow")
			}
			time.Sleep(300 * time.Millisecond)
		case "/hang":
			select {
			case <-r.Context().Done():
			case <-time.After(cluster.WaitTimeout):
			}
		}
		fmt.Fprint(w, "ok")
	}))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *server) onStart(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[path] = append(s.calls[path], time.Now())
	s.active[path]++
	s.maxConcurrent[path] = max(s.maxConcurrent[path], s.active[path])
}

func (s *server) onEnd(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active[path]--
}

// stats returns the times of the requests of path, and the maximum number of concurrent
// requests.
func (s *server) stats(path string) (calls []time.Time, maxConcurrent int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time{}, s.calls[path]...), s.maxConcurrent[path]
}

// policies tests debounce, rateLimit, concurrency, timeout, suspend, onChange and retry of
// triggers.
func policies(t *testing.T, i *installation) {
	ns, s := i.Namespace(t), newServer(t)
	i.apply(t, strings.Replace(stampDefinition(ns, fmt.Sprintf(`
import "vela/http"
call: http.#HTTPDo & {$params: {method: "GET", url: "%s/" + parameter.path}}
parameter: path: string
`, s.URL)), "trigger-action-stamp", "trigger-action-call", 1))
	i.apply(t, strings.Replace(stampDefinition(ns, `
import "vela/http"
call: http.#HTTPDo & {$params: {method: "GET", url: "http://127.0.0.1:1/"}}
`), "trigger-action-stamp", "trigger-action-fail", 1))
	var triggers strings.Builder
	for name, fields := range map[string]string{
		"debounced":  "action: {type: call, properties: {path: debounced}}\n      debounce: 10s",
		"limited":    "action: {type: call, properties: {path: limited}}\n      rateLimit: {limit: 2, period: 1s}",
		"concurrent": "action: {type: call, properties: {path: slow}}\n      concurrency: 2\n      timeout: 2m",
		"timed":      "action: {type: call, properties: {path: hang}}\n      timeout: 300ms\n      retry: {limit: 0}",
		"suspended":  "action: {type: call, properties: {path: suspended}}\n      suspend: true",
		"changes":    "action: {type: call, properties: {path: changes}}\n      onChange: [data]",
		"retried":    "action: {type: fail}\n      retry: {limit: 2, backoff: {initial: 10ms, max: 20ms}}",
	} {
		fmt.Fprintf(&triggers, `    - name: %[1]s
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[2]s, events: [update]}}
      filter: 'context: data: metadata: name: =~"^%[1]s"'
      %[3]s
`, name, ns, fields)
	}
	for _, name := range []string{"debounced", "timed", "suspended", "changes", "retried"} {
		i.applyConfigMap(t, ns, name, "0")
	}
	for n := range 6 {
		i.applyConfigMap(t, ns, fmt.Sprintf("limited-%d", n), "0")
		i.applyConfigMap(t, ns, fmt.Sprintf("concurrent-%d", n), "0")
	}
	// The template allows requests to the loopback address, where the server listens.
	template := strings.Replace(workload.Dedicated(), `"run",`, `"run", "--allow-address=127.0.0.1",`, 1)
	i.apply(t, strings.NewReplacer("trigger-action-stamp", "trigger-worker-local", "type: trigger-action", "type: trigger-worker").Replace(stampDefinition("vela-system", template)))
	service := bumpTriggers(ns, "main", triggers.String()+"  worker: {template: local}")
	i.apply(t, service)
	i.waitForReady(t, ns, "main")

	for n := range 5 {
		i.applyConfigMap(t, ns, "debounced", fmt.Sprint("e", n))
	}
	begin := time.Now()
	for n := range 6 {
		i.applyConfigMap(t, ns, fmt.Sprintf("limited-%d", n), "1")
		i.applyConfigMap(t, ns, fmt.Sprintf("concurrent-%d", n), "1")
	}
	for _, name := range []string{"timed", "suspended", "retried"} {
		i.applyConfigMap(t, ns, name, "1")
	}
	i.apply(t, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: %s, name: changes, labels: {a: b}}\ndata: {key: \"0\"}", ns))
	i.applyConfigMap(t, ns, "changes", "1")

	byName := func(ts *v1alpha1.TriggerService) map[string]v1alpha1.TriggerStatus {
		all := map[string]v1alpha1.TriggerStatus{}
		for _, s := range ts.Status.Triggers {
			all[s.Name] = s
		}
		return all
	}
	ts := i.waitForService(t, ns, "main", func(ts *v1alpha1.TriggerService) error {
		all := byName(ts)
		for name, succeeded := range map[string]int64{"debounced": 1, "limited": 6, "concurrent": 6, "changes": 1} {
			if all[name].Succeeded != succeeded {
				return fmt.Errorf("trigger %s: got %d successful actions, want %d: status %+v", name, all[name].Succeeded, succeeded, all)
			}
		}
		if all["timed"].DeadLetters != 1 || all["retried"].DeadLetters != 1 {
			return fmt.Errorf("got status %+v, want one dead letter each of timed and retried", all)
		}
		return nil
	})
	all := byName(ts)
	if got := all["timed"]; got.Failed != 1 || !strings.Contains(got.LastError, "timed out after 300ms") {
		t.Errorf("timeout: got status %+v, want one failed attempt that timed out", got)
	}
	if got := all["retried"]; got.Failed != 3 {
		t.Errorf("retry: got %d failed attempts, want 3", got.Failed)
	}
	if got := all["suspended"]; got.State != v1alpha1.TriggerSuspended || got.Succeeded+got.Failed != 0 {
		t.Errorf("suspend: got status %+v, want %s without actions", got, v1alpha1.TriggerSuspended)
	}
	if calls, _ := s.stats("/limited"); len(calls) != 6 || calls[5].Sub(begin) < 2*time.Second {
		t.Errorf("rateLimit: got requests at %v, want 6 at 2 per second from %v", calls, begin)
	}
	if _, n := s.stats("/slow"); n != 2 {
		t.Errorf("concurrency: got %d concurrent requests, want 2", n)
	}

	cluster.Eventually(t, "Kubernetes event of a dead letter", func(ctx context.Context) error {
		events := &corev1.EventList{}
		if err := i.admin.List(ctx, events, client.InNamespace(ns)); err != nil {
			return err
		}
		for _, e := range events.Items {
			if e.Reason == "DeadLetter" && e.InvolvedObject.Name == "main" && strings.Contains(e.Message, `trigger "timed": new dead letters: 1; last error: `) {
				return nil
			}
		}
		return fmt.Errorf("got %d events, want one with reason DeadLetter", len(events.Items))
	})

	i.apply(t, strings.Replace(service, "suspend: true", "suspend: false", 1))
	i.waitForReady(t, ns, "main")
	i.applyConfigMap(t, ns, "suspended", "2")
	cluster.Eventually(t, "action of the resumed trigger", func(context.Context) error {
		if calls, _ := s.stats("/suspended"); len(calls) != 1 {
			return fmt.Errorf("got %d requests, want 1", len(calls))
		}
		return nil
	})
}
