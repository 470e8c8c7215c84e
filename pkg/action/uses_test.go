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

package action_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// TestAction_Uses derives what templates do with objects, for updates of Deployments in any
// namespace.
func TestAction_Uses(t *testing.T) {
	const imports = "import \"vela/kube\"\n"
	call := func(function, params string) string { return fmt.Sprintf("kube.#%s & {$params: %s}", function, params) }
	pod := func(name, namespace string) string {
		return fmt.Sprintf(`{apiVersion: "v1", kind: "Pod", metadata: {name: %s, namespace: %s}}`, name, namespace)
	}
	for name, tc := range map[string]struct {
		template, cue string
		properties    map[string]any
		want          []string
		unknown       string
	}{
		"literals":        {template: "get: " + call("Get", "resource: "+pod(`"a"`, `"b"`)), want: []string{"get pods a in namespace b"}},
		"name of event":   {template: "get: " + call("Get", "resource: "+pod("context.data.metadata.name", `"b"`)), want: []string{"get pods in namespace b"}},
		"event's object":  {template: "patch: " + call("Patch", `{resource: {apiVersion: context.data.apiVersion, kind: context.data.kind, metadata: {name: context.data.metadata.name, namespace: context.data.metadata.namespace}}, patch: data: {}}`), want: []string{"patch deployments.apps in all namespaces"}},
		"subresource":     {template: "patch: " + call("Patch", `{resource: `+pod(`"a"`, `"b"`)+`, subresource: "status", patch: data: {}}`), want: []string{"patch pods/status a in namespace b"}},
		"server-side":     {template: "patch: " + call("Patch", `{resource: `+pod(`"a"`, `"b"`)+`, patch: {type: "apply", data: {}}}`), want: []string{"patch, create pods a in namespace b"}},
		"all of a kind":   {template: "delete: " + call("Delete", `{value: {apiVersion: "v1", kind: "Pod", metadata: {}}, filter: {namespace: "b", matchingLabels: {}}}`), want: []string{"deletecollection pods in namespace b"}},
		"three-way merge": {template: "apply: " + call("Apply", "value: "+pod(`"a"`, `"b"`)), want: []string{"get, create, patch pods a in namespace b"}},
		"properties":      {template: "get: " + call("Get", "resource: "+pod("parameter.name", `"b"`)) + "\nparameter: name: string", properties: map[string]any{"name": "web"}, want: []string{"get pods web in namespace b"}},
		"message":         {template: "get: " + call("Get", "resource: "+pod("parameter.name", `"b"`)) + "\nparameter: name: string @text(name)", properties: map[string]any{"name": "{{.data.metadata.name}}-x"}, want: []string{"get pods in namespace b"}},
		"computed":        {template: "get: " + call("Get", "resource: "+pod("parameter.name", `"b"`)) + "\nparameter: name: string", cue: "name: context.data.metadata.labels.app", want: []string{"get pods in namespace b"}},
		"hash of event": {
			template: "get: " + call("Get", "resource: "+pod("hex.Encode(sha256.Sum256(context.data.metadata.name))", `"b"`)),
			want:     []string{"get pods in namespace b"},
		},
		"condition on a result": {
			template: "list: " + call("List", `{resource: {apiVersion: "v1", kind: "Pod"}, filter: namespace: "b"}`) +
				"\ndelete: [for p in list.$returns.items if p.status.phase == \"Failed\" {" + call("Delete", "value: "+pod("p.metadata.name", "p.metadata.namespace")) + "}]",
			want: []string{"list pods in namespace b", "delete pods in namespace b"},
		},
		"condition on the event":  {template: `get: [if context.data.spec.replicas > 3 {` + call("Get", "resource: "+pod(`"a"`, `"b"`)) + "}]", want: []string{"get pods a in namespace b"}},
		"condition on properties": {template: `get: [if parameter.on if context.data.spec.replicas > 3 {` + call("Get", "resource: "+pod(`"a"`, `"b"`)) + "}]\nparameter: on: bool", properties: map[string]any{"on": false}},
		"type of the event":       {template: `get: [if context.event.type == "delete" {` + call("Get", "resource: "+pod(`"a"`, `"b"`)) + "}]", want: []string{"get pods a in namespace b"}},
		"computed kind":           {template: "get: " + call("Get", `resource: {apiVersion: "v1", kind: context.data.spec.kind, metadata: {name: "a", namespace: "b"}}`), unknown: "get: the kind is computed at run time"},
		"computed namespace":      {template: "get: " + call("Get", "resource: "+pod(`"a"`, "context.data.spec.namespace")), unknown: "get Pod: the namespace is computed at run time"},
		"value of a table": {
			template: "get: " + call("Get", "resource: "+pod("{x: \"a\"}[context.data.spec.size]", `"b"`)),
			unknown:  `kube.get in line 4 of the action "test" is called for some events only`,
		},
		"declared": {
			template: "get: " + call("Get", "resource: "+pod("{x: \"a\"}[context.data.spec.size]", `"b"`)) + "\nrights: [{apiVersion: \"v1\", kind: \"Pod\", name: \"a\", namespace: \"b\", verbs: [\"get\"]}]",
			want:     []string{"get pods a in namespace b"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := tc.template
			if strings.Contains(text, "sha256") {
				text = "import (\n\t\"crypto/sha256\"\n\t\"encoding/hex\"\n\t\"vela/kube\"\n)\n" + text
			} else {
				text = imports + "\n\n" + text
			}
			template, problems := action.Parse("test", text)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			o := action.Options{Properties: tc.properties}
			if tc.cue != "" {
				if o.Computed, problems = action.ParseComputed(tc.cue); len(problems) > 0 {
					t.Fatal(problems)
				}
			}
			a, problems := template.Compile(o)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			uses, unknown := a.Uses(action.Events{
				Trigger: event.Trigger{Name: "x", Namespace: "y"},
				Source:  "resource-watcher", Types: []string{event.Update, event.Delete}, Kind: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
			})
			var got []string
			for _, u := range uses {
				got = append(got, u.Text())
			}
			if !slices.Equal(got, tc.want) || !strings.HasPrefix(strings.Join(unknown, "\n"), tc.unknown) || (tc.unknown == "") != (len(unknown) == 0) {
				t.Errorf("got %q and unknown %q, want %q and %q", got, unknown, tc.want, tc.unknown)
			}
		})
	}
}
