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
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// copyTrigger returns a trigger that annotates the ConfigMap to with the updates of
// the ConfigMap from, which may be the same.
func (e env) copyTrigger(name, from, to, policy string) string {
	return fmt.Sprintf(`
  - name: %s
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, events: [update]}}
    filter: context.data.metadata.name == %q
    action: {type: note, properties: {name: %q, namespace: %[2]s}}
    %[5]s
`, name, e.namespace, from, to, policy)
}

// noteAction annotates an object with the ID of the event.
const noteAction = `
import "vela/kube"

note: kube.#Patch & {$params: {
	resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: parameter.name, namespace: parameter.namespace}}
	patch: data: metadata: annotations: (context.trigger.name): context.event.id
}}
parameter: {name: string, namespace: string}
`

// runPolicies runs triggers of copyTrigger.
func (e env) runPolicies(t *testing.T, triggers ...string) *process {
	t.Helper()
	o := e.options(t, "triggers:"+strings.Join(triggers, ""))
	o.ActionsDir = writeActions(t, map[string]string{"note.cue": noteAction})
	p := startRunAt(t, o, "debug")
	p.waitForLog(t, "watching")
	return p
}

// TestPolicy_OwnWrites has a trigger that patches the object it watches. It acts
// once on each edit by others, even if its own patches come in between.
func TestPolicy_OwnWrites(t *testing.T) {
	e := newEnv(t)
	e.createConfigMap(t, "self")
	p := e.runPolicies(t, e.copyTrigger("self", "self", "self", ""))
	const edits = 5
	for i := range edits {
		e.setValue(t, "self", fmt.Sprint(i))
	}
	p.waitForDecisions(t, edits, "self", "Event suppressed", "OwnWrite")
	if succeeded := p.waitForDecisions(t, edits, "self", "Action succeeded", ""); len(succeeded) != edits {
		t.Errorf("%d actions on %d edits", len(succeeded), edits)
	}
	p.stop(t)
}

// TestPolicy_Loop has two triggers that wake each other. The loop is broken, and its
// event is dead-lettered.
func TestPolicy_Loop(t *testing.T) {
	e := newEnv(t)
	for _, name := range []string{"left", "right"} {
		e.createConfigMap(t, name)
	}
	p := e.runPolicies(t, e.copyTrigger("left", "left", "right", ""), e.copyTrigger("right", "right", "left", ""))
	e.setValue(t, "left", "1")
	deadLettered := func() []map[string]any {
		return p.linesWhere(func(l map[string]any) bool { return l["msg"] == "Event dead-lettered" })
	}
	eventually(t, "the loop to be broken", func() bool { return len(deadLettered()) > 0 })
	if l := deadLettered()[0]; l["reason"] != "LoopBroken" || !strings.Contains(fmt.Sprint(l["err"]), "trigger loop") {
		t.Errorf("got %v", l)
	}
	succeeded := func() int {
		return len(p.linesWhere(func(l map[string]any) bool { return l["msg"] == "Action succeeded" }))
	}
	n := succeeded()
	if n < 30 || n > 70 {
		t.Errorf("%d actions before the loop was broken", n)
	}
	// Edits by others are not part of the loop.
	e.setValue(t, "right", "1")
	eventually(t, "an action on an edit by others", func() bool { return succeeded() > n })
	p.stop(t)
}

// TestPolicy_AllowSelfTrigger has a trigger that acts on its own writes until the
// loop is broken.
func TestPolicy_AllowSelfTrigger(t *testing.T) {
	e := newEnv(t)
	e.createConfigMap(t, "self")
	p := e.runPolicies(t, e.copyTrigger("self", "self", "self", "allowSelfTrigger: true"))
	e.setValue(t, "self", "1")
	p.waitForDecisions(t, 31, "self", "Action succeeded", "")
	p.waitForDecisions(t, 1, "self", "Event dead-lettered", "LoopBroken")
	p.stop(t)
}

// debounceWindow is longer than a busy machine takes to deliver some edits.
const debounceWindow = "10s"

// TestPolicy_Debounce has one action for consecutive edits, with the latest state.
func TestPolicy_Debounce(t *testing.T) {
	e := newEnv(t)
	e.createConfigMap(t, "busy")
	e.createConfigMap(t, "note")
	p := e.runPolicies(t, e.copyTrigger("busy", "busy", "note", "debounce: "+debounceWindow))
	for i := range 5 {
		e.setValue(t, "busy", fmt.Sprint(i))
	}
	p.waitForDecisions(t, 4, "busy", "Event suppressed", "Debounced")
	succeeded := p.waitForDecisions(t, 1, "busy", "Action succeeded", "")
	last, err := e.configMaps.Get(t.Context(), "busy", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(succeeded) != 1 || succeeded[0]["event"] != string(last.GetUID())+"@"+last.GetResourceVersion() {
		t.Errorf("acted on %v, want the state %s alone", succeeded, last.GetResourceVersion())
	}
	p.stop(t)
}

// TestPolicy_RateLimit delays actions over the limit, and drops none.
func TestPolicy_RateLimit(t *testing.T) {
	e := newEnv(t)
	e.createConfigMap(t, "busy")
	e.createConfigMap(t, "note")
	p := e.runPolicies(t, e.copyTrigger("busy", "busy", "note", "rateLimit: {limit: 2, period: 500ms}"))
	const edits = 5
	begin := time.Now()
	for i := range edits {
		e.setValue(t, "busy", fmt.Sprint(i))
	}
	p.waitForDecisions(t, edits, "busy", "Action succeeded", "")
	// The third action starts one period after the first at the earliest, and the fifth one two.
	if took := time.Since(begin); took < time.Second {
		t.Errorf("%d actions within %s, want at least 1s", edits, took)
	}
	p.stop(t)
}
