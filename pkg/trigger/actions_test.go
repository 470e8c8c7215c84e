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

package trigger_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// compileActions compiles spec, and returns the Spec that its source received.
func compileActions(t *testing.T, spec v1alpha1.Trigger) (sourceSpec source.Spec, problems diag.List) {
	t.Helper()
	templates := map[string]trigger.Template{}
	for name, text := range map[string]string{
		"gives": "result: 1\nn: context.old.n",
		"shows": "result: {color: 1, if context.data.x {size: {width: 1}}, any: context.data}",
		"reads": "m: context.results.first.colour",
		"says":  "import \"text/template\"\nm: template.Execute(parameter.message, context)\nparameter: message: string",
		"needs": "m: context.old.m\nn: context.results.first",
	} {
		template, list := action.Parse(name, text)
		if len(list) > 0 {
			t.Fatal(list)
		}
		templates[name] = trigger.Parsed(template)
	}
	c := trigger.Compiler{
		Actions:  templates,
		Executor: func(event.TriggerRef) provider.Executor { return nil },
		Sources: source.Registry{"objects": {Compile: func(_ map[string]any, t source.Spec) (source.Subscription, diag.List) {
			sourceSpec = t
			return subscription{}, nil
		}}},
	}
	spec.Source.Type = "objects"
	_, problems = c.Compile(event.TriggerRef{Name: "t", Namespace: "n"}, spec)
	return sourceSpec, problems
}

func step(name, kind, properties string) v1alpha1.ActionStep {
	return v1alpha1.ActionStep{Name: name, Type: kind, Properties: &runtime.RawExtension{Raw: []byte(properties)}}
}

func computes(kind, properties, cue string) v1alpha1.ActionStep {
	s := step("", kind, properties)
	s.Cue = cue
	return s
}

func TestCompile_Actions(t *testing.T) {
	gives, shows := step("first", "gives", `{}`), step("first", "shows", `{}`)
	for _, tc := range []struct {
		name string
		spec v1alpha1.Trigger
		want string
	}{
		{"valid", v1alpha1.Trigger{Actions: []v1alpha1.ActionStep{gives, step("", "needs", `{}`), step("x", "says", `{"message": "{{.results.first}}"}`)}}, ""},
		{"neither", v1alpha1.Trigger{}, "action.type: is required; actions: gives, needs, reads, says, shows"},
		{"both", v1alpha1.Trigger{Action: v1alpha1.Action{Type: "gives"}, Actions: []v1alpha1.ActionStep{gives}},
			"actions: exactly one of action and actions must be set"},
		{"single-action", v1alpha1.Trigger{Action: v1alpha1.Action{Type: "needs"}},
			`action.type: action "needs": 2:4: context.results.first: there are no earlier actions`},
		{"unknown", v1alpha1.Trigger{Actions: []v1alpha1.ActionStep{gives, step("", "give", `{}`)}},
			`actions[1].type: unknown action "give"; did you mean "gives"?; actions: gives, needs, reads, says, shows`},
		{"later", v1alpha1.Trigger{Actions: []v1alpha1.ActionStep{step("", "needs", `{}`), gives}},
			`actions[0].type: action "needs": 2:4: context.results.first: refers to the result of actions[1], which runs later`},
		{"itself", v1alpha1.Trigger{Actions: []v1alpha1.ActionStep{step("first", "needs", `{}`)}},
			`actions[0].type: action "needs": 2:4: context.results.first: refers to its own result`},
		{"no-result", v1alpha1.Trigger{Actions: []v1alpha1.ActionStep{step("first", "says", `{"message": ""}`), step("", "needs", `{}`)}},
			`actions[1].type: action "needs": 2:4: context.results.first: actions[0], "says", has no result`},
		{"no-name", v1alpha1.Trigger{Actions: []v1alpha1.ActionStep{step("", "gives", `{}`), step("", "says", `{"message": "{{.results.gives}}"}`)}},
			`actions[1].properties.message:1:3: .results.gives: no earlier action has a name`},
		{"misspelled", v1alpha1.Trigger{Actions: []v1alpha1.ActionStep{gives, step("", "says", `{"message": "{{.results.frist}}"}`)}},
			`actions[1].properties.message:1:3: .results.frist: no earlier action has this name; did you mean "first"?; earlier actions: first`},
		{"several-problems", v1alpha1.Trigger{Actions: []v1alpha1.ActionStep{gives, gives, step("", "says", `{"message": 1, "x": 2}`)}},
			"actions[1].name: \"first\" is already used by actions[0]\n" +
				"actions[2].properties.message: must be string, not number\n" +
				"actions[2].properties.x: unknown field; known fields: message"},
		{"field", v1alpha1.Trigger{Actions: []v1alpha1.ActionStep{shows, step("", "reads", `{}`)}},
			`actions[1].type: action "reads": 1:4: context.results.first: result has no "colour"; did you mean "color"?; it has any, color, size`},
		{"field-message", v1alpha1.Trigger{Actions: []v1alpha1.ActionStep{shows, step("", "says", `{"message": "{{.results.first.size.height}} {{.results.first.size.width}} {{.results.first.any.x}}"}`)}},
			`actions[1].properties.message:1:3: .results.first: result.size has no "height"; it has width`},
		{"field-computed", v1alpha1.Trigger{Actions: []v1alpha1.ActionStep{shows, computes("says", "{}", `message: context.results.first["sise"].width`)}},
			`actions[1].cue:1:10: context.results.first: result has no "sise"; did you mean "size"?; it has any, color, size`},
		{"field-of-invalid-action", v1alpha1.Trigger{Actions: []v1alpha1.ActionStep{step("first", "absent", `{}`), step("", "reads", `{}`)}},
			`actions[0].type: unknown action "absent"; actions: gives, needs, reads, says, shows`},
		{"on-failure", v1alpha1.Trigger{Actions: []v1alpha1.ActionStep{{Type: "gives", OnFailure: "retry"}}},
			`actions[0].onFailure: must be "stop" or "continue", not "retry"`},
		{"computed", v1alpha1.Trigger{Actions: []v1alpha1.ActionStep{gives, computes("needs", "{}", ""), computes("says", "{}", "message: context.old.m + context.old.n + context.results.first")}}, ""},
		{"message", v1alpha1.Trigger{Actions: []v1alpha1.ActionStep{gives, step("", "needs", `{}`), step("", "says", `{"message": "was {{.old.m}} {{index .old \"n\"}}"}`)}}, ""},
		{"message-alone", v1alpha1.Trigger{Action: v1alpha1.Action{Type: "says", Properties: &runtime.RawExtension{Raw: []byte(`{"message": "{{with .data}}{{$.old.m}}{{end}}{{.old.n}}"}`)}}}, ""},
		{"computed-kind", v1alpha1.Trigger{Action: v1alpha1.Action{Type: "says", Cue: "\nmessage: [context.old.m]"}},
			`action.cue:2:1: message: must be string, not list`},
		{"computed-syntax", v1alpha1.Trigger{Actions: []v1alpha1.ActionStep{computes("says", "{}", "message: contxt.data.x")}},
			`actions[0].cue:1:10: unknown name "contxt"; did you mean "context"?`},
		{"computed-result", v1alpha1.Trigger{Actions: []v1alpha1.ActionStep{gives, computes("says", "{}", "message: context.results.frist")}},
			`actions[1].cue:1:10: context.results.frist: no earlier action has this name; did you mean "first"?; earlier actions: first`},
		{"computed-required", v1alpha1.Trigger{Action: v1alpha1.Action{Type: "says", Cue: "x: 1"}},
			"action.properties.message: is required: string\naction.cue:1:1: x: unknown field; known fields: message"},
		{"too-many", v1alpha1.Trigger{Actions: make([]v1alpha1.ActionStep, 21)}, "actions: 21 actions, maximum is 20"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sourceSpec, problems := compileActions(t, tc.spec)
			if diff := cmp.Diff(tc.want, problems.Error()); diff != "" {
				t.Error(diff)
			}
			if tc.want == "" {
				// Fields of context.old that the template, messages and computed properties name.
				selected := sourceSpec.Old.Select(map[string]any{"m": 1, "n": 2, "o": 3})
				if diff := cmp.Diff(map[string]any{"m": 1, "n": 2}, selected); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}
