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
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// secretWriters are templates that write a Secret in the shape of workflow steps. DATA are
// fields of the Secret.
func secretWriters() map[string]string {
	return map[string]string{
		"apply": `import "vela/kube"
call: kube.#Apply & {$params: value: {apiVersion: "v1", kind: "Secret", metadata: {name: "written", namespace: "NAMESPACE"}, DATA}}`,
		"apply in parallel": `import "vela/kube"
call: kube.#ApplyInParallel & {$params: value: [{apiVersion: "v1", kind: "Secret", metadata: {name: "written", namespace: "NAMESPACE"}, DATA}]}`,
		"apply, legacy": `import "vela/op"
call: op.#Apply & {value: {apiVersion: "v1", kind: "Secret", metadata: {name: "written", namespace: "NAMESPACE"}, DATA}}`,
		"apply in parallel, legacy": `import "vela/op"
call: op.#ApplyInParallel & {value: [{apiVersion: "v1", kind: "Secret", metadata: {name: "written", namespace: "NAMESPACE"}, DATA}]}`,
		"patch": `import "vela/kube"
call: kube.#Patch & {$params: {value: {apiVersion: "v1", kind: "Secret", metadata: {name: "written", namespace: "NAMESPACE"}}, patch: {DATA}}}`,
		"patch, legacy": `import "vela/op"
call: op.#Patch & {value: {apiVersion: "v1", kind: "Secret", metadata: {name: "written", namespace: "NAMESPACE"}}, patch: {DATA}}`,
	}
}

// TestSecret_Annotations writes no value of a Secret into its annotations, and removes
// those that earlier versions have written.
func TestSecret_Annotations(t *testing.T) {
	values := []string{"canary-4711", "canary-4712", "canary-4713"}
	for name, source := range secretWriters() {
		t.Run(name, func(t *testing.T) {
			e := start(t)
			if strings.HasPrefix(name, "patch") {
				e.create(t, "v1", "Secret", "written", map[string]any{"stringData": map[string]any{"old": values[0]}})
			}
			for _, data := range []string{
				`data: first: "` + base64.StdEncoding.EncodeToString([]byte(values[1])) + `"`,
				`stringData: second: "` + values[2] + `", metadata: annotations: note: "kept"`,
			} {
				if err := e.runSource(t, strings.ReplaceAll(source, "DATA", data)); err != nil {
					t.Fatal(err)
				}
				e.checkAnnotations(t, values)
			}
		})
	}
}

func (e env) checkAnnotations(t *testing.T, values []string) {
	t.Helper()
	secret := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Secret"}}
	secret.SetName("written")
	secret.SetNamespace(e.namespace)
	secret = e.get(t, secret)
	if len(field[map[string]any](t, secret, "data")) == 0 {
		t.Error("no data")
	}
	for _, text := range secret.GetAnnotations() {
		for _, v := range values {
			for _, form := range []string{v, base64.StdEncoding.EncodeToString([]byte(v)), base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(v))))} {
				if strings.Contains(text, form) {
					t.Errorf("an annotation holds %s: %s", form, text)
				}
			}
		}
	}
}

// TestSecret_DroppedFields removes the fields of a Secret that an earlier version of the
// template had, and no others; also those that an earlier version of kube-trigger wrote.
func TestSecret_DroppedFields(t *testing.T) {
	for _, name := range []string{"apply", "apply in parallel", "apply, legacy", "apply in parallel, legacy"} {
		for _, kind := range []string{"data", "stringData"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				e := start(t)
				write := func(fields string) {
					t.Helper()
					if err := e.runSource(t, strings.ReplaceAll(secretWriters()[name], "DATA", fields)); err != nil {
						t.Fatal(err)
					}
				}
				write(kind + `: {a: "YQ==", b: "Yg=="}, metadata: {labels: {l: "1", m: "2"}, annotations: n: "3"}`)
				others := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Secret"}}
				others.SetName("written")
				others.SetNamespace(e.namespace)
				if err := e.Patch(t.Context(), others, client.RawPatch("application/merge-patch+json", []byte(`{"data": {"other": "bw=="}}`))); err != nil {
					t.Fatal(err)
				}
				write(kind + `: {b: "Yg=="}, metadata: labels: l: "1"`)
				secret := e.get(t, others)
				if got := slices.Sorted(maps.Keys(field[map[string]any](t, secret, "data"))); !slices.Equal(got, []string{"b", "other"}) {
					t.Errorf("data has %v", got)
				}
				if got := secret.GetLabels(); len(got) != 1 || got["l"] != "1" {
					t.Errorf("labels are %v", got)
				}
				if _, ok := secret.GetAnnotations()["n"]; ok {
					t.Errorf("annotations are %v", secret.GetAnnotations())
				}
			})
		}
	}
}

// TestSecret_EarlierAnnotation replaces the annotation with plain text that earlier versions
// of kube-trigger and KubeVela write, and removes the fields that it names.
func TestSecret_EarlierAnnotation(t *testing.T) {
	e := start(t)
	const plain = `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"written"},"stringData":{"x":"canary-4711"},"data":{"gone":"Y2FuYXJ5LTQ3MTI="}}`
	e.create(t, "v1", "Secret", "written", map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{"workflow.oam.dev/last-applied-configuration": plain}},
		"data":     map[string]any{"gone": "Y2FuYXJ5LTQ3MTI=", "kept": "a2VwdA=="},
	})
	if err := e.runSource(t, strings.ReplaceAll(secretWriters()["apply"], "DATA", `data: new: "bmV3"`)); err != nil {
		t.Fatal(err)
	}
	e.checkAnnotations(t, []string{"canary-4711", "canary-4712"})
	secret := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Secret"}}
	secret.SetName("written")
	secret.SetNamespace(e.namespace)
	if got := slices.Sorted(maps.Keys(field[map[string]any](t, e.get(t, secret), "data"))); !slices.Equal(got, []string{"kept", "new"}) {
		t.Errorf("data has %v", got)
	}
}
