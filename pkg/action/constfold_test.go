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

package action

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// A template makes the same calls with and without constant folding.
func TestTemplate_ConstantFolding(t *testing.T) {
	for name, c := range map[string]struct {
		source     string
		properties map[string]any
	}{
		"selectors": {`
let S = parameter.selector
let One = S.name != "" && len(S.labels) == 0
a: [if One {kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: S.name}}}]
b: [if !One {kube.#List & {$params: {resource: {apiVersion: "v1", kind: "X"}, filter: matchingLabels: S.labels}}}]
c: [for x in b for y in x.$returns.items {kube.#Get & {$params: resource: {apiVersion: "v1", kind: "Y", metadata: name: y.metadata.name}}}]
parameter: selector: {name: *"" | string, labels: [string]: string}
`, map[string]any{"selector": map[string]any{"labels": map[string]any{"a": "b"}}}},
		"optional": {`
a: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: {name: [if parameter.name != _|_ {parameter.name}, context.data.metadata.name][0], if parameter.namespace != _|_ {namespace: parameter.namespace}}}}
parameter: {name?: string, namespace?: string}
`, map[string]any{"namespace": "shop"}},
		"numbers": {`
a: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: "\(parameter.n * 2)-\(context.data.metadata.name)", spec: {n: parameter.n, f: parameter.f, big: parameter.big, none: parameter.none}}}
parameter: {n: int, f: number, big: int, none: _}
`, map[string]any{"n": 3, "f": 2.0, "big": 9007199254740993, "none": nil}},
		"error": {`
a: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: context.data.metadata.name & parameter.names[0]}}
parameter: names: [...string]
`, map[string]any{"names": []any{"a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			template, problems := Parse("test", "import \"vela/kube\"\n"+c.source)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			var folded, unfolded fakeExecutor
			outcome := func(a *fakeExecutor, change func(*Action)) string {
				run, problems := template.Compile(Options{Executor: a, Properties: c.properties})
				if len(problems) > 0 {
					t.Fatal(problems)
				}
				change(run)
				ev := event.Event{Data: map[string]any{"metadata": map[string]any{"name": "settings"}}}
				if _, err := run.Start(nil, nil)(t.Context(), ev); err != nil {
					return err.Error()
				}
				return ""
			}
			got := outcome(&folded, func(*Action) {})
			want := outcome(&unfolded, unfold)
			if !slices.Equal(folded.calls, unfolded.calls) || (got == "") != (want == "") {
				t.Errorf("folded:\n%s\n%s\nnot folded:\n%s\n%s", strings.Join(folded.calls, "\n"), got, strings.Join(unfolded.calls, "\n"), want)
			}
			if len(folded.calls) == 0 && got == "" {
				t.Error("no calls")
			}
		})
	}
}
