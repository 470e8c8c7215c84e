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
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
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
