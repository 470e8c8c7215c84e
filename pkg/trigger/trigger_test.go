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
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

type subscription struct{ source.Subscription }

func (subscription) Watch() *source.Watch { return nil }

// compile compiles spec, and returns the Spec that its source received.
func compile(t *testing.T, spec v1alpha1.Trigger) (sourceSpec source.Spec, problems diag.List) {
	t.Helper()
	templates := map[string]trigger.Template{}
	for name, text := range map[string]string{
		"plain": `parameter: {}`,
		"old":   `import "vela/kube"` + "\n" + `parameter: {}` + "\n" + `get: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "Pod", metadata: name: context.old.metadata.name}}`,
		"all":   `import "encoding/json"` + "\n" + `parameter: {}` + "\n" + `text: json.Marshal(context)`,
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
		Sources: source.Registry{
			"objects": {Capabilities: source.Capabilities{OnChange: true}, Compile: func(_ map[string]any, t source.Spec) (source.Subscription, diag.List) {
				sourceSpec = t
				return subscription{}, nil
			}},
			"ticks": {Compile: func(map[string]any, source.Spec) (source.Subscription, diag.List) { return subscription{}, nil }},
		},
	}
	spec.Action.Properties = &runtime.RawExtension{Raw: []byte(`{}`)}
	_, problems = c.Compile(event.TriggerRef{Name: "t", Namespace: "n"}, spec)
	return sourceSpec, problems
}

// warner is a subscription with a warning.
type warner struct{ source.Subscription }

func (warner) Watch() *source.Watch { return nil }

func (warner) Warnings() (list diag.List) {
	list.Add("schedule", "is odd")
	return list
}

// TestCompile_SourceWarnings: the warnings of a source are those of its trigger.
func TestCompile_SourceWarnings(t *testing.T) {
	template, list := action.Parse("plain", `parameter: {}`)
	if len(list) > 0 {
		t.Fatal(list)
	}
	c := trigger.Compiler{
		Actions:  map[string]trigger.Template{"plain": trigger.Parsed(template)},
		Executor: func(event.TriggerRef) provider.Executor { return nil },
		Sources: source.Registry{
			"ticks": {Compile: func(map[string]any, source.Spec) (source.Subscription, diag.List) { return warner{}, nil }},
		},
	}
	compiled, problems := c.Compile(event.TriggerRef{Name: "t", Namespace: "n"}, v1alpha1.Trigger{
		Source: v1alpha1.Source{Type: "ticks"}, Action: v1alpha1.Action{Type: "plain", Properties: &runtime.RawExtension{Raw: []byte(`{}`)}},
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if got, want := compiled.Warnings.Error(), "source.properties.schedule: is odd"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestCompile_CrashTracker gives a trigger another crash tracker when its filter, its
// actions or their templates change, and not when its policy does.
func TestCompile_CrashTracker(t *testing.T) {
	const template = `parameter: text: string`
	textOf := func(template string, change func(spec *v1alpha1.Trigger)) (text string) {
		t.Helper()
		parsed, list := action.Parse("plain", template)
		if len(list) > 0 {
			t.Fatal(list)
		}
		c := trigger.Compiler{
			Actions:      map[string]trigger.Template{"plain": trigger.Parsed(parsed)},
			Executor:     func(event.TriggerRef) provider.Executor { return nil },
			CrashTracker: func(_ event.TriggerRef, given string) engine.CrashTracker { text = given; return nil },
			Sources:      source.Registry{"objects": {Compile: func(map[string]any, source.Spec) (source.Subscription, diag.List) { return subscription{}, nil }}},
		}
		spec := v1alpha1.Trigger{
			Source: v1alpha1.Source{Type: "objects"}, Filter: "true",
			Action: v1alpha1.Action{Type: "plain", Properties: &runtime.RawExtension{Raw: []byte(`{"text":"a"}`)}},
		}
		change(&spec)
		if _, problems := c.Compile(event.TriggerRef{Name: "t", Namespace: "n"}, spec); len(problems) > 0 {
			t.Fatal(problems)
		}
		return text
	}
	text := textOf(template, func(*v1alpha1.Trigger) {})
	if textOf(template+"\nmore: parameter.text", func(*v1alpha1.Trigger) {}) == text {
		t.Error("template: the text is the same")
	}
	if again := textOf(template, func(spec *v1alpha1.Trigger) { spec.Concurrency = 7 }); again != text {
		t.Errorf("policy: text %q, want %q", again, text)
	}
	step := v1alpha1.ActionStep{Type: "plain", Properties: &runtime.RawExtension{Raw: []byte(`{"text":"b"}`)}}
	for name, change := range map[string]func(spec *v1alpha1.Trigger){
		"filter":     func(spec *v1alpha1.Trigger) { spec.Filter = "false" },
		"properties": func(spec *v1alpha1.Trigger) { spec.Action.Properties.Raw = []byte(`{"text":"b"}`) },
		"actions": func(spec *v1alpha1.Trigger) {
			spec.Action, spec.Actions = v1alpha1.Action{}, []v1alpha1.ActionStep{step}
		},
	} {
		if textOf(template, change) == text {
			t.Errorf("%s: the text is the same", name)
		}
	}
}

func TestCompile_OldDependencies(t *testing.T) {
	for _, tc := range []struct {
		name, filter, action string
		want                 string
	}{
		{"none", ``, "plain", `{}`},
		{"data", `context.data.spec.image == "a"`, "plain", `{}`},
		{"filter", `context.old.spec.image != context.data.spec.image`, "plain", `{"spec":{"image":"a"}}`},
		{"constraints", `context: old: spec: image: "a"`, "plain", `{"spec":{"image":"a"}}`},
		{"filter-and-action", `context.old.spec.image == "a"`, "old", `{"metadata":{"name":"n"},"spec":{"image":"a"}}`},
		{"all-of-old", `len(context.old) == 2`, "plain", `{"metadata":{"name":"n","uid":"u"},"spec":{"image":"a","replicas":1}}`},
		{"all-of-context", ``, "all", `{}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sourceSpec, problems := compile(t, v1alpha1.Trigger{
				Source: v1alpha1.Source{Type: "objects"}, Filter: tc.filter, Action: v1alpha1.Action{Type: tc.action},
			})
			if problems.Err() != nil {
				t.Fatal(problems)
			}
			object := map[string]any{
				"metadata": map[string]any{"name": "n", "uid": "u"}, "spec": map[string]any{"image": "a", "replicas": 1},
			}
			selected, err := json.Marshal(sourceSpec.Old.Select(object))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(selected)); diff != "" {
				t.Error(diff)
			}
			if sourceSpec.Name != "t" || sourceSpec.Namespace != "n" {
				t.Errorf("trigger %s", sourceSpec)
			}
		})
	}
}

func TestCompile_OnChange(t *testing.T) {
	spec := v1alpha1.Trigger{Action: v1alpha1.Action{Type: "plain"}, OnChange: []string{"data", `metadata.labels["a/b"]`}}
	spec.Source.Type = "objects"
	sourceSpec, problems := compile(t, spec)
	want := []source.Path{{"data"}, {"metadata", "labels", "a/b"}}
	if diff := cmp.Diff(want, sourceSpec.OnChange); diff != "" || problems.Err() != nil {
		t.Error(diff, problems)
	}
	spec.Source.Type = "ticks"
	_, problems = compile(t, spec)
	if got, want := problems.Error(), `onChange: has no effect with the source "ticks", whose events are not changes of objects`; got != want {
		t.Errorf("got %s", got)
	}
}
