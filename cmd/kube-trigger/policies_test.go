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

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// copyTrigger is a trigger that copies data.v of one ConfigMap to an annotation of
// another, or of itself.
func (w env) copyTrigger(name, from, to, policy string) string {
	return fmt.Sprintf(`
  - name: %s
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, events: [update]}}
    filter: context.data.metadata.name == %q
    action: {type: note, properties: {name: %q, namespace: %[2]s}}
    %[5]s
`, name, w.namespace, from, to, policy)
}

// noteAction writes into an object which event it acts on.
const noteAction = `
import "vela/kube"

note: kube.#Patch & {$params: {
	resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: parameter.name, namespace: parameter.namespace}}
	patch: data: metadata: annotations: (context.trigger.name): context.event.id
}}
parameter: {name: string, namespace: string}
`

// runPolicies runs triggers of copyTo.
func (w env) runPolicies(t *testing.T, triggers ...string) *process {
	t.Helper()
	p := startRun(t, "-c", writeConfig(t, "triggers:"+strings.Join(triggers, "")), "--kubeconfig", w.Kubeconfig,
		"--actions-dir", writeActions(t, map[string]string{"note.cue": noteAction}), "--log-level", "debug")
	p.waitForLog(t, "watching")
	return p
}

// waitForDecisions waits until a trigger has decided n times with this message and
// reason, and returns all its decisions so far with that message.
func (p *process) waitForDecisions(t *testing.T, n int, trigger, message, reason string) []map[string]any {
	t.Helper()
	var found []map[string]any
	eventually(t, fmt.Sprintf("%d of %q by %s (%s)", n, message, trigger, reason), func() bool {
		found = p.linesWhere(func(line map[string]any) bool {
			return line["msg"] == message && line["trigger"] == "default/"+trigger && (reason == "" || line["reason"] == reason)
		})
		return len(found) >= n
	})
	return found
}

// TestOwnWrites has a trigger that patches what it watches: it acts once on each
// edit by others, even if its own patches of the object come between.
func TestOwnWrites(t *testing.T) {
	w := newEnv(t)
	w.create(t, w.configMaps, "v1", "ConfigMap", "self")
	p := w.runPolicies(t, w.copyTrigger("self", "self", "self", ""))
	const edits = 5
	for i := range edits {
		w.setValue(t, "self", fmt.Sprint(i))
	}
	p.waitForDecisions(t, edits, "self", "Event suppressed", "OwnWrite")
	if acted := p.waitForDecisions(t, edits, "self", "Acted on event", ""); len(acted) != edits {
		t.Errorf("acted %d times on %d edits", len(acted), edits)
	}
	p.stop(t)
}

// TestCircle has two triggers that feed each other: they are stopped, which is
// shown, and the event on which they were can be looked at.
func TestCircle(t *testing.T) {
	w := newEnv(t)
	for _, name := range []string{"left", "right"} {
		w.create(t, w.configMaps, "v1", "ConfigMap", name)
	}
	p := w.runPolicies(t, w.copyTrigger("left", "left", "right", ""), w.copyTrigger("right", "right", "left", ""))
	w.setValue(t, "left", "1")
	given := func() []map[string]any {
		return p.linesWhere(func(l map[string]any) bool { return l["msg"] == "Event given up" })
	}
	eventually(t, "the circle to be broken", func() bool { return len(given()) > 0 })
	if l := given()[0]; l["reason"] != "LoopBroken" || !strings.Contains(fmt.Sprint(l["err"]), "circle of triggers") {
		t.Errorf("got %v", l)
	}
	acted := func() int {
		return len(p.linesWhere(func(l map[string]any) bool { return l["msg"] == "Acted on event" }))
	}
	n := acted()
	if n < 30 || n > 70 {
		t.Errorf("acted %d times before it was broken", n)
	}
	// Others are not in the circle.
	w.setValue(t, "right", "1")
	eventually(t, "an edit by others to be acted on", func() bool { return acted() > n })
	p.stop(t)
}

// TestAllowSelfTrigger has a trigger that acts on its own writes, until it is
// taken for a circle.
func TestAllowSelfTrigger(t *testing.T) {
	w := newEnv(t)
	w.create(t, w.configMaps, "v1", "ConfigMap", "self")
	p := w.runPolicies(t, w.copyTrigger("self", "self", "self", "allowSelfTrigger: true"))
	w.setValue(t, "self", "1")
	p.waitForDecisions(t, 31, "self", "Acted on event", "")
	p.waitForDecisions(t, 1, "self", "Event given up", "LoopBroken")
	p.stop(t)
}

// TestDebounce makes one action of edits that follow each other, with the latest
// state.
func TestDebounce(t *testing.T) {
	w := newEnv(t)
	w.create(t, w.configMaps, "v1", "ConfigMap", "busy")
	w.create(t, w.configMaps, "v1", "ConfigMap", "note")
	p := w.runPolicies(t, w.copyTrigger("busy", "busy", "note", "debounce: 2s"))
	for i := range 5 {
		w.setValue(t, "busy", fmt.Sprint(i))
	}
	p.waitForDecisions(t, 4, "busy", "Event suppressed", "Debounced")
	acted := p.waitForDecisions(t, 1, "busy", "Acted on event", "")
	last, err := w.configMaps.Get(t.Context(), "busy", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(acted) != 1 || acted[0]["event"] != string(last.GetUID())+"@"+last.GetResourceVersion() {
		t.Errorf("acted on %v, want the state %s alone", acted, last.GetResourceVersion())
	}
	p.stop(t)
}

// TestRateLimit has actions wait for their turn, and drops none.
func TestRateLimit(t *testing.T) {
	w := newEnv(t)
	w.create(t, w.configMaps, "v1", "ConfigMap", "busy")
	w.create(t, w.configMaps, "v1", "ConfigMap", "note")
	p := w.runPolicies(t, w.copyTrigger("busy", "busy", "note", "rateLimit: {limit: 2, period: 500ms}"))
	const edits = 5
	for i := range edits {
		w.setValue(t, "busy", fmt.Sprint(i))
	}
	acted := p.waitForDecisions(t, edits, "busy", "Acted on event", "")
	at := func(i int) time.Time {
		// The action ended then; it began its duration before.
		ended, err := time.Parse(time.RFC3339Nano, fmt.Sprint(acted[i]["time"]))
		if err != nil {
			t.Fatal(err)
		}
		return ended.Add(-time.Duration(acted[i]["duration"].(float64)))
	}
	for i := 2; i < edits; i++ {
		// Both are measured apart from when the turn was taken.
		if gap := at(i).Sub(at(i - 2)); gap < 400*time.Millisecond {
			t.Errorf("the actions %d and %d began within %s", i-2, i, gap)
		}
	}
	p.stop(t)
}
