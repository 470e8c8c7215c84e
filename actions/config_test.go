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
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestCreateConfig_Objects: a config of a template creates the objects of the template at once, and
// updates them.
func TestCreateConfig_Objects(t *testing.T) {
	e := start(t)
	e.create(t, "v1", "ConfigMap", "config-template-pair", map[string]any{"data": map[string]any{"template": `
template: {
	outputs: other: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "other", namespace: context.namespace}, data: a: parameter.a}
	parameter: a: string
}`}})
	other := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
	other.SetNamespace(e.namespace)
	other.SetName("other")
	for _, value := range []string{"first", "second"} {
		if err := e.runSource(t, `import "vela/config"
create: config.#CreateConfig & {$params: {name: "c", namespace: "NAMESPACE", template: "NAMESPACE/pair", config: a: "`+value+`"}}`); err != nil {
			t.Fatal(err)
		}
		if data, _, _ := unstructured.NestedString(e.get(t, other).Object, "data", "a"); data != value {
			t.Errorf("the object of the template has %q, want %q", data, value)
		}
	}
}
