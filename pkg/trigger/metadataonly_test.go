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
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// TestCompile_MetadataOnly: a source learns that nothing of a trigger looks beyond the metadata of
// objects, wherever it looks.
func TestCompile_MetadataOnly(t *testing.T) {
	const get = `import "vela/kube"
	parameter: name: string
	get: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "Pod", metadata: name: parameter.name}}
	`
	templates := map[string]string{
		"plain":    `parameter: {...}`,
		"metadata": `parameter: {...}` + "\n" + `text: context.data.metadata.labels.app + context.data.kind + context.event.type`,
		"spec":     `parameter: {...}` + "\n" + `text: context.data.spec.x`,
		"data":     `import "encoding/json"` + "\n" + `parameter: {...}` + "\n" + `text: json.Marshal(context.data)`,
		"context":  `import "encoding/json"` + "\n" + `parameter: {...}` + "\n" + `text: json.Marshal(context)`,
		"result":   get + `output: context.data.spec.x`,
		"message":  `parameter: text: *"{{.data.metadata.name}}" | string @text(plain)`,
		"default":  `parameter: text: *"{{.data.spec.x}}" | string @text(plain)`,
		"fallback": `parameter: text: *"" | string @text(plain,default="{{.data.spec.x}}")`,
		"event":    `import "encoding/json"` + "\n" + `parameter: {...}` + "\n" + `text: json.Marshal(context.event)`,
	}
	c := trigger.Compiler{Actions: map[string]trigger.Template{}, Executor: func(event.TriggerRef) provider.Executor { return nil }}
	for name, text := range templates {
		template, list := action.Parse(name, text)
		if len(list) > 0 {
			t.Fatal(name, list)
		}
		c.Actions[name] = trigger.Parsed(template)
	}
	var got source.Spec
	c.Sources = source.Registry{"objects": {Compile: func(_ map[string]any, t source.Spec) (source.Subscription, diag.List) {
		got = t
		return subscription{}, nil
	}}}
	one := func(name, properties string) v1alpha1.Action {
		return v1alpha1.Action{Type: name, Properties: &runtime.RawExtension{Raw: []byte(properties)}}
	}
	group := func(by string) *v1alpha1.Grouping { return &v1alpha1.Grouping{By: by} }
	window := &metav1.Duration{Duration: time.Second}
	for name, tc := range map[string]struct {
		spec v1alpha1.Trigger
		want bool
	}{
		"nothing":             {v1alpha1.Trigger{Action: one("plain", `{}`)}, true},
		"filter by metadata":  {v1alpha1.Trigger{Filter: `context.data.metadata.name =~ "^a" && context.data.kind == "Pod"`, Action: one("plain", `{}`)}, true},
		"filter by event":     {v1alpha1.Trigger{Filter: `context.event.type == "create"`, Action: one("plain", `{}`)}, true},
		"filter by spec":      {v1alpha1.Trigger{Filter: `context.data.spec.x == "a"`, Action: one("plain", `{}`)}, false},
		"constraints":         {v1alpha1.Trigger{Filter: `context: data: metadata: labels: app: "a"`, Action: one("plain", `{}`)}, true},
		"constraints on spec": {v1alpha1.Trigger{Filter: `context: data: spec: x: "a"`, Action: one("plain", `{}`)}, false},
		"a dynamic path":      {v1alpha1.Trigger{Filter: `context.data[context.event.type] == "a"`, Action: one("plain", `{}`)}, false},
		"all of data":         {v1alpha1.Trigger{Filter: `len(context.data) > 3`, Action: one("plain", `{}`)}, false},
		"let":                 {v1alpha1.Trigger{Filter: "let d = context.data\nd.spec.x == 1", Action: one("plain", `{}`)}, false},
		"action by metadata":  {v1alpha1.Trigger{Action: one("metadata", `{}`)}, true},
		"action by spec":      {v1alpha1.Trigger{Action: one("spec", `{}`)}, false},
		"action by data":      {v1alpha1.Trigger{Action: one("data", `{}`)}, false},
		"action by context":   {v1alpha1.Trigger{Action: one("context", `{}`)}, false},
		"action by event":     {v1alpha1.Trigger{Action: one("event", `{}`)}, true},
		"message":             {v1alpha1.Trigger{Action: one("message", `{"text": "{{.data.metadata.name}} {{title}}"}`)}, true},
		"message by default":  {v1alpha1.Trigger{Action: one("message", `{}`)}, true},
		"message by spec":     {v1alpha1.Trigger{Action: one("message", `{"text": "{{with .data.spec}}{{.x}}{{end}}"}`)}, false},
		"message by all":      {v1alpha1.Trigger{Action: one("message", `{"text": "{{json .}}"}`)}, false},
		"default by spec":     {v1alpha1.Trigger{Action: one("default", `{}`)}, false},
		"fallback by spec":    {v1alpha1.Trigger{Action: one("fallback", `{"text": "{{.data.metadata.a}}"}`)}, false},
		"computed":            {v1alpha1.Trigger{Action: v1alpha1.Action{Type: "plain", Cue: "a: context.data.metadata.name"}}, true},
		"computed by spec":    {v1alpha1.Trigger{Action: v1alpha1.Action{Type: "plain", Cue: "a: context.data.spec.x"}}, false},
		"group by namespace":  {v1alpha1.Trigger{Group: group("namespace"), Debounce: window, Action: one("plain", `{}`)}, true},
		"group by label":      {v1alpha1.Trigger{Group: group("context.data.metadata.labels.app"), Debounce: window, Action: one("plain", `{}`)}, true},
		"group by spec":       {v1alpha1.Trigger{Group: group("context.data.spec.x"), Debounce: window, Action: one("plain", `{}`)}, false},
		"one of two actions": {v1alpha1.Trigger{Actions: []v1alpha1.ActionStep{
			{Type: "metadata", Properties: &runtime.RawExtension{Raw: []byte(`{}`)}}, {Type: "spec", Properties: &runtime.RawExtension{Raw: []byte(`{}`)}},
		}}, false},
		"result": {v1alpha1.Trigger{Actions: []v1alpha1.ActionStep{
			{Name: "get", Type: "result", Properties: &runtime.RawExtension{Raw: []byte(`{"name": "a"}`)}}, {Type: "plain", Properties: &runtime.RawExtension{Raw: []byte(`{}`)}},
		}}, false},
	} {
		tc.spec.Source.Type = "objects"
		if _, problems := c.Compile(event.TriggerRef{Name: "t", Namespace: "n"}, tc.spec); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		} else if got.MetadataOnly != tc.want {
			t.Errorf("%s: %v, want %v", name, got.MetadataOnly, tc.want)
		}
	}
}
