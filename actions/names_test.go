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
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/renewal"
)

// TestFieldNames runs each example of each action with events and results of calls that
// have many new field names. None of them gets into
// CUE's tables, which never shrink.
func TestFieldNames(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		t.Run(name+"/"+strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source, err := fs.ReadFile(actions.FS, name+".cue")
			if err != nil {
				t.Fatal(err)
			}
			tmpl, diags := action.Parse(name, string(source))
			if len(diags) > 0 {
				t.Fatal(diags)
			}
			a, diags := tmpl.Compile(action.Options{
				Trigger:    event.TriggerRef{Name: "golden", Namespace: "default"},
				Properties: object(t, section(ar, "properties")),
				Executor:   manyNames{file},
			})
			if len(diags) > 0 {
				t.Skip("an example of invalid properties")
			}
			var table renewal.Table
			added := 0
			for i := range 3 { // the first one adds the names of the template
				before, _ := table.Measure()
				data := withNames(object(t, section(ar, "event")), fmt.Sprint(file, i))
				_, err = a.Start(event.Event{Source: "resource-watcher", Type: event.Update, Data: data, Time: time.Unix(0, 0)}, nil, nil)(t.Context())
				after, _ := table.Measure()
				added = after - before
			}
			if file == evaluatesEvents {
				if added == 0 {
					t.Error("no new names: the exception is not needed")
				}
			} else if added > 0 {
				t.Errorf("%d new names for an event; ended with %v", added, err)
			}
		})
	}
}

// evaluatesEvents is the example in which CUE executes Go templates with the event: those
// in the parameters of a view.
const evaluatesEvents = "testdata/run-velaql/config-map.txtar"

// namesPerObject is the number of new names in each object.
const namesPerObject = 100

// withNames returns an object with new names in all parts that users fill in.
func withNames(object map[string]any, prefix string) map[string]any {
	object = runtime.DeepCopyJSON(object)
	if object == nil {
		object = map[string]any{}
	}
	names := func() map[string]any {
		m := map[string]any{}
		for i := range namesPerObject {
			m[fmt.Sprint(prefix, "/", i)] = "x"
		}
		return m
	}
	metadata, _ := object["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	if metadata == nil {
		metadata = map[string]any{}
	}
	for _, field := range []string{"labels", "annotations"} {
		given, _ := metadata[field].(map[string]any)
		m := names()
		maps.Copy(m, given)
		metadata[field] = m
	}
	object["metadata"] = metadata
	for _, field := range []string{"data", "body", "other"} {
		if object[field] == nil {
			object[field] = names()
		}
	}
	return object
}

// manyNames is an executor whose results have new names.
type manyNames struct{ prefix string }

func (e manyNames) Execute(_ context.Context, call provider.Call) (provider.Result, error) {
	object := func() map[string]any {
		return withNames(map[string]any{
			"apiVersion": "v1", "kind": "X",
			"metadata": map[string]any{"name": "web", "namespace": "shop", "resourceVersion": "1"},
			"spec":     map[string]any{"replicas": int64(1), "components": []any{map[string]any{"name": "web", "type": "webservice", "properties": map[string]any{"image": "nginx"}}}},
			"status":   map[string]any{"status": "succeeded", "finished": true, "workflow": map[string]any{"finished": false, "terminated": false, "suspend": true}},
		}, fmt.Sprint(e.prefix, call.Path, time.Now().UnixNano()))
	}
	returns := object()
	returns["items"], returns["value"], returns["statusCode"] = []any{object()}, object(), int64(200)
	if call.Provider == "http" {
		returns["body"] = "{}"
	}
	return provider.Result{"$returns": returns}, nil
}
