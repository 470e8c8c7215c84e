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

package filter_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/filter"
)

func TestExplain(t *testing.T) {
	ev := event.Event{Type: "update", Data: map[string]any{
		"kind": "Deployment", "metadata": map[string]any{"name": "web", "labels": map[string]any{"a/b": "c"}},
		"spec": map[string]any{"replicas": int64(3), "list": []any{int64(1), int64(2)}}, "status": map[string]any{"readyReplicas": int64(2)},
	}}
	for text, want := range map[string]string{
		"": "matches",
		"context.data.status.readyReplicas == context.data.spec.replicas": "filtered\n" +
			"1:1 context.data.status.readyReplicas == context.data.spec.replicas: false (2 == 3)",
		`context.data.kind == "Pod" && context.data.spec.replicas > 1`: "filtered\n" +
			"1:1 context.data.kind == \"Pod\": false (\"Deployment\" == \"Pod\")\n1:31 context.data.spec.replicas > 1: not evaluated",
		`context.data.spec.other == 1 || !(context.data.spec.replicas > 3)`: "matches\n" +
			"1:1 context.data.spec.other == 1: undefined, context.data.spec.other is absent [context.data.spec.other=absent]\n" +
			"1:33 !(context.data.spec.replicas > 3): true (!(3 > 3))",
		`len(context.data.spec.list) > 2`:             "filtered\n1:1 len(context.data.spec.list) > 2: false [context.data.spec.list=[1,2]]",
		`context.data.metadata.labels["a/b"] =~ "^c"`: "matches\n1:1 context.data.metadata.labels[\"a/b\"] =~ \"^c\": true (\"c\" =~ \"^c\")",
		`list.Contains(context.data.spec.list, 2)`:    "matches\n1:1 list.Contains(context.data.spec.list, 2): true [context.data.spec.list=[1,2]]",
		`context: data: {kind: "Deployment", spec: replicas: >3}`: "filtered\n" +
			"0:0 context.data.kind: \"Deployment\": true [context.data.kind=\"Deployment\"]\n" +
			"0:0 context.data.spec.replicas: >3: false [context.data.spec.replicas=3]",
		`context: data: {spec: paused: true, kind?: string}`: "filtered\n" +
			"0:0 context.data.kind: string: true [context.data.kind=\"Deployment\"]\n" +
			"0:0 context.data.spec.paused: true: undefined, context.data.spec.paused is absent [context.data.spec.paused=absent]",
	} {
		f, problems := filter.Compile(text, event.Trigger{})
		if len(problems) > 0 {
			t.Errorf("%s: %v", text, problems)
			continue
		}
		x, err := f.Explain(t.Context(), ev)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := f.Match(t.Context(), ev); err != nil || v != x.Verdict {
			t.Errorf("%s: the verdict is %v, %v, and explained is %v", text, v, err, x.Verdict)
		}
		if diff := cmp.Diff(want, explained(x)); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func explained(x filter.Explanation) string {
	lines := []string{"filtered"}
	if x.Match {
		lines[0] = "matches"
	}
	for _, p := range x.Parts {
		line := fmt.Sprintf("%d:%d %s: %s", p.Line, p.Column, p.Source, p.Result)
		if p.Reason != "" {
			line += ", " + p.Reason
		}
		if text := p.Substituted(jsonOf); text != "" {
			line += " (" + text + ")"
		} else if len(p.Values) > 0 {
			var values []string
			for _, v := range p.Values {
				value := jsonOf(v.Value)
				if v.Absent {
					value = "absent"
				}
				values = append(values, v.Path+"="+value)
			}
			line += " [" + strings.Join(values, " ") + "]"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func jsonOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	text = []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(text)))
	return string(text)
}
