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
	"context"
	"io/fs"
	"os"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// BenchmarkRender runs actions with a fake executor.
func BenchmarkRender(b *testing.B) {
	text, err := os.ReadFile("../examples/actions/config.yaml")
	if err != nil {
		b.Fatal(err)
	}
	var config struct {
		Triggers []example `json:"triggers"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		b.Fatal(err)
	}
	var data map[string]any
	if err := yaml.Unmarshal([]byte(exampleEvent), &data); err != nil {
		b.Fatal(err)
	}
	for _, e := range config.Triggers {
		source, err := fs.ReadFile(actions.FS, e.Action.Type+".cue")
		if err != nil {
			b.Fatal(err)
		}
		tmpl, diags := action.Parse(e.Action.Type, string(source))
		if len(diags) > 0 {
			b.Fatal(diags)
		}
		a, diags := tmpl.Compile(action.Options{Trigger: event.Trigger{Name: "t", Namespace: "ns"}, Properties: e.Action.Properties, Executor: fakeExecutor{}})
		if len(diags) > 0 {
			b.Fatal(diags)
		}
		ev := event.Event{Type: event.Update, Source: "x", Data: data, Time: time.Unix(0, 0)}
		b.Run(e.Action.Type, func(b *testing.B) {
			for b.Loop() {
				if _, err := a.Start(nil, nil)(b.Context(), ev); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// fakeExecutor returns the same object for each call.
type fakeExecutor struct{}

func (fakeExecutor) Execute(context.Context, provider.Call) (provider.Result, error) {
	return provider.Result{"$returns": map[string]any{
		"metadata": map[string]any{"name": "web", "namespace": "shop", "resourceVersion": "1"},
		"spec":     map[string]any{"replicas": int64(1), "components": []any{map[string]any{"name": "web", "properties": map[string]any{}}}},
		"status":   map[string]any{"status": "succeeded", "finished": true, "suspend": true, "workflow": map[string]any{"finished": false, "terminated": false, "suspend": true}},
		"items":    []any{},
	}}, nil
}
