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
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strconv"
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
				Trigger:    event.Trigger{Name: "golden", Namespace: "default"},
				Properties: object(t, section(ar, "properties")),
				Executor:   manyNames{file},
			})
			if len(diags) > 0 {
				return // an example of invalid properties
			}
			var table renewal.Table
			added := 0
			for i := range 3 { // the first one adds the names of the template
				before, _ := table.Measure()
				data := withNames(object(t, section(ar, "event")), fmt.Sprint(file, i))
				_, err = a.Start(nil, nil)(t.Context(), event.Event{Source: "resource-watcher", Type: event.Update, Data: data, Time: time.Unix(0, 0)})
				after, _ := table.Measure()
				added = after - before
			}
			if added > 0 {
				t.Errorf("%d new names for an event; ended with %v", added, err)
			}
		})
	}
}

// manyNamesVariable is the environment variable with the number of new names in
// TestFieldNames_Memory, such as 1500000. By default there are 20,000.
const manyNamesVariable = "KUBE_TRIGGER_TEST_NAMES"

// TestFieldNames_Memory has actions pass on objects with very many new names. The heap
// grows by less than 10 MiB, and by far less than CUE's tables would.
func TestFieldNames_Memory(t *testing.T) {
	total := 20_000
	if text := os.Getenv(manyNamesVariable); text != "" {
		var err error
		if total, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); err != nil || n < namesPerObject {
			t.Errorf("got a body of %d bytes, %v", n, err)
		}
	}))
	defer server.Close()
	for name, properties := range map[string]map[string]any{
		"log":                   {"message": "{{.data.metadata.name}}: {{len .data.metadata.labels}}"},
		"notify":                {"message": "{{.data.metadata.labels}}", "to": []any{map[string]any{"type": "slack", "url": map[string]any{"secretRef": map[string]any{"name": "x", "key": "url"}}}}},
		"http-request":          {"url": server.URL},
		"send-cloudevent":       {"url": server.URL},
		"create-event-listener": {},
		"patch-resource":        {"resource": map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "x"}, "patch": map[string]any{"data": map[string]any{"data": map[string]any{"a": "b"}}}},
		"passes-on":             {},
	} {
		t.Run(name, func(t *testing.T) {
			a := compileForMemory(t, name, properties, server.Client())
			var table renewal.Table
			run := func(i int) {
				data := withNames(map[string]any{"kind": "ConfigMap", "apiVersion": "v1", "metadata": map[string]any{"name": "x", "namespace": "default", "uid": "u"}}, fmt.Sprint(t.Name(), i))
				if _, err := a.Start(nil, nil)(t.Context(), event.Event{Source: "resource-watcher", Type: event.Update, Data: data, Time: time.Unix(0, 0)}); err != nil {
					t.Fatal(err)
				}
			}
			run(0)
			names, _ := table.Measure()
			before := liveHeap()
			for i := range total / namesPerObject {
				run(i + 1)
			}
			after := liveHeap()
			if growth := after - before; growth > 10<<20 {
				t.Errorf("the heap has grown by %d KiB", growth>>10)
			}
			if now, _ := table.Measure(); now-names > 10 {
				t.Errorf("CUE has %d new names", now-names)
			}
		})
	}
}

// passesOn is an action of a user that patches an object with parts of the event as they
// are.
const passesOn = `
import "vela/kube"
patch: kube.#Patch & {$params: {
	resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "x", namespace: "default"}}
	patch: {type: "merge", data: {data: context.data.data, metadata: labels: context.data.metadata.labels}}
}}
`

// compileForMemory returns an action whose HTTP requests are sent to a local server, and
// whose other calls only return.
func compileForMemory(t *testing.T, name string, properties map[string]any, client *http.Client) *action.Action {
	t.Helper()
	source := []byte(passesOn)
	if name != "passes-on" {
		var err error
		if source, err = fs.ReadFile(actions.FS, name+".cue"); err != nil {
			t.Fatal(err)
		}
	}
	tmpl, diags := action.Parse(name, string(source))
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	a, diags := tmpl.Compile(action.Options{Trigger: event.Trigger{Name: "t", Namespace: "default"}, Properties: properties, Executor: localExecutor{client}})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	return a
}

// localExecutor sends the requests of calls that have a URL.
type localExecutor struct{ client *http.Client }

func (e localExecutor) Execute(ctx context.Context, call provider.Call) (provider.Result, error) {
	if url, ok := call.Params["url"].(string); ok {
		body, _ := call.Params["request"].(map[string]any)["body"].(string)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		res, err := e.client.Do(req)
		if err != nil {
			return nil, err
		}
		res.Body.Close()
	}
	return provider.Result{"$returns": map[string]any{"statusCode": int64(200), "body": "{}"}}, nil
}

// liveHeap returns the size of the live heap in bytes.
func liveHeap() int64 {
	goruntime.GC()
	goruntime.GC()
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

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
