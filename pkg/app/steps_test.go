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
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// waitingStep is a step that sends a request, applies a ConfigMap, and waits until that has a
// value.
const waitingStep = `import "vela/op"

"roll-out": {type: "workflow-step"}
template: {
	post: op.#HTTPPost & {url: parameter.url, request: body: context.stepSessionID}
	made: op.#Apply & {value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "out", namespace: parameter.namespace}}}
	wait: op.#ConditionalWait & {continue: made.value.data.v == "ready"}
	outputs: {status: post.response.statusCode, v: made.value.data.v}
	parameter: {url: string, namespace: string}
}
`

// TestSteps_Killed: a process is killed while a step waits. The next one goes on waiting, does
// not do again what the step has done, and passes on its outputs.
func TestSteps_Killed(t *testing.T) {
	e := newEnv(t)
	var (
		mu     sync.Mutex
		bodies []string
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		bodies = append(bodies, string(body))
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	o := e.options(t, fmt.Sprintf(`triggers:
  - name: t
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, fieldSelector: metadata.name=go, events: [update]}}
    actions:
      - {name: one, type: step/roll-out, properties: {url: %q, namespace: %[1]s}, timeout: 30m}
      - {type: log, properties: {message: "outputs {{.results.one.status}} {{.results.one.v}}"}}
`, e.namespace, server.URL))
	o.ActionsDir = writeActions(t, map[string]string{"roll-out.cue": waitingStep})
	o.AllowAddresses = []string{"127.0.0.1"}
	e.createConfigMap(t, "go")
	cmd, p := startProcess(t, o)
	p.waitForLog(t, "watching")
	e.setValue(t, "go", "1")
	p.waitForLog(t, "Action waits")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	again := startRun(t, o)
	again.waitForLog(t, "Action waits")
	e.setValue(t, "out", "ready")
	again.waitForLog(t, "Action succeeded")
	outputs := again.linesWhere(func(l map[string]any) bool { return strings.Contains(fmt.Sprint(l), "outputs 202 ready") })
	if len(outputs) == 0 {
		t.Error("the outputs of the step are not in the log")
	}
	again.stop(t)
	if mu.Lock(); len(bodies) != 1 || len(bodies[0]) != 10 {
		t.Errorf("requests %q, want one with the session", bodies)
	}
	mu.Unlock()
}

// TestSteps_Removed: when a trigger is removed while its step waits, what the step has done is
// deleted; that of other triggers stays. What has expired is deleted, too.
func TestSteps_Removed(t *testing.T) {
	e := newEnv(t)
	trigger := func(name string) string {
		return fmt.Sprintf(`  - name: %s
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, fieldSelector: metadata.name=go, events: [update]}}
    action: {type: step/stay, timeout: 30m}
`, name, e.namespace)
	}
	o := e.options(t, "triggers:\n"+trigger("kept")+trigger("removed"))
	o.ActionsDir = writeActions(t, map[string]string{"stay.cue": `import "vela/op"

stay: {type: "workflow-step"}
template: {
	wait: op.#ConditionalWait & {continue: false}
	parameter: {}
}
`})
	e.createConfigMap(t, "go")
	p := startRun(t, o)
	p.waitForLog(t, "watching")
	e.setValue(t, "go", "1")
	cluster.Eventually(t, "both waits", func(context.Context) error {
		if lines := p.linesWhere(func(l map[string]any) bool { return l["msg"] == "Action waits" }); len(lines) != 2 {
			return fmt.Errorf("%d steps wait, want 2", len(lines))
		}
		return nil
	})
	p.stop(t)
	kept, removed := event.TriggerRef{Namespace: "default", Name: "kept"}, event.TriggerRef{Namespace: "default", Name: "removed"}
	withStore(t, o, func(s store.Store) {
		expectProgress(t, s, kept, removed)
		old := store.NewProgress(s.Checkpoints(), kept, clock.RealClock{})
		if err := old.Save(t.Context(), "old", []byte("{}"), time.Now().Add(-time.Minute)); err != nil {
			t.Fatal(err)
		}
	})

	if err := os.WriteFile(o.Config, []byte("triggers:\n"+trigger("kept")), 0o600); err != nil {
		t.Fatal(err)
	}
	again := startRun(t, o)
	again.waitForLog(t, "Action waits")
	again.stop(t)
	withStore(t, o, func(s store.Store) {
		expectProgress(t, s, kept)
		c, err := s.Checkpoints().Load(t.Context(), store.ProgressName(kept))
		if err != nil || len(c.Values) != 1 {
			t.Errorf("%d values, %v, want that of the event alone", len(c.Values), err)
		}
	})
}

// withStore calls use with the store of processes that have ended.
func withStore(t *testing.T, o RunOptions, use func(store.Store)) {
	t.Helper()
	s, err := file.Open(t.Context(), o.Store, file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	use(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// expectProgress checks of which triggers the store has progress.
func expectProgress(t *testing.T, s store.Store, triggers ...event.TriggerRef) {
	t.Helper()
	names, err := s.Checkpoints().List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, trigger := range triggers {
		want = append(want, store.ProgressName(trigger))
	}
	if got := slices.DeleteFunc(names, func(name string) bool { return !store.IsProgress(name) }); !slices.Equal(got, want) {
		t.Errorf("progress %q, want %q", got, want)
	}
}
