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

package actions_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// runSource runs a template once for an event without an object.
func (e env) runSource(t *testing.T, source string) error {
	t.Helper()
	return e.runEvent(t, source, event.Event{Type: event.Update, Data: map[string]any{}})
}

func (e env) runEvent(t *testing.T, source string, ev event.Event) error {
	t.Helper()
	tmpl, diags := action.Parse("test", strings.ReplaceAll(source, "NAMESPACE", e.namespace))
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	executor := provider.New(provider.Options{Client: client.WithFieldOwner(e.Client, "test"), Namespace: e.namespace})
	a, diags := tmpl.Compile(action.Options{Executor: executor})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	_, err := a.Start(nil, nil)(t.Context(), ev)
	return err
}

// TestPatch_Conflict: a patch in the shape of workflow steps that changes a value is not
// retried, and its error says how to replace the value.
func TestPatch_Conflict(t *testing.T) {
	for name, source := range map[string]string{
		"kube": `import "vela/kube"
call: kube.#Patch & {$params: {value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "settings", namespace: "NAMESPACE"}}, patch: {DATA}}}`,
		"op": `import "vela/op"
call: op.#Patch & {value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "settings", namespace: "NAMESPACE"}}, patch: {DATA}}`,
		"util": `import "vela/util"
call: util.#PatchK8sObject & {$params: {value: {data: version: "1"}, patch: {DATA}}}`,
		"op, util": `import "vela/op"
call: op.#PatchK8sObject & {value: {data: version: "1"}, patch: {DATA}}`,
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t)
			e.create(t, "v1", "ConfigMap", "settings", nil)
			patch := func(data string) error { return e.runSource(t, strings.ReplaceAll(source, "DATA", data)) }
			if err := patch(`data: version: "1"`); err != nil {
				t.Fatal(err)
			}
			err := patch(`data: version: "canary-2"`)
			if err == nil || !action.IsTerminal(err) || !strings.Contains(err.Error(), "data.version") || !strings.Contains(err.Error(), "+patchStrategy=retainKeys") {
				t.Errorf("got %v, want a terminal error with the hint", err)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("error contains a value: %v", err)
			}
			if err := patch("data: {\n// +patchStrategy=retainKeys\nversion: \"2\"\n}"); err != nil {
				t.Errorf("with retainKeys: %v", err)
			}
		})
	}
}

// TestPatch_Comments keeps the comments that say how to patch, whatever names an event has.
func TestPatch_Comments(t *testing.T) {
	e := start(t)
	settings := e.create(t, "v1", "ConfigMap", "settings", map[string]any{"data": map[string]any{"version": "1"}})
	source := strings.ReplaceAll(`import "vela/kube"
call: kube.#Patch & {$params: {value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "settings", namespace: "NAMESPACE"}}, patch: data: {
	// +patchStrategy=retainKeys
	version: "2"
	for k, v in context.data.data {(k): v}
}}}`, "NAMESPACE", e.namespace)
	ev := event.Event{Type: event.Update, Data: map[string]any{"data": map[string]any{"odd.name-": "x"}}}
	if err := e.runEvent(t, source, ev); err != nil {
		t.Fatal(err)
	}
	if got := field[map[string]any](t, e.get(t, settings), "data"); got["version"] != "2" || got["odd.name-"] != "x" {
		t.Errorf("data is %v", got)
	}
}
