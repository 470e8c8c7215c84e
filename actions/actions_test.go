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
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/velaql/view"
)

var update = flag.Bool("update", false, "update the golden files")

// TestGolden runs the action of each testdata/ACTION/*.txtar with `properties`, `event`
// and `objects`. It compares the provider calls, in order, with `calls`, and the error
// with `error`.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		t.Run(name+"/"+strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := run(t, name, section(ar, "properties"), section(ar, "event"), section(ar, "objects"))
			for _, part := range []string{"calls", "error"} {
				if *update {
					set(ar, part, got[part])
				} else if want := string(section(ar, part)); want != got[part] {
					t.Errorf("%s:\n got:\n%s\nwant:\n%s", part, got[part], want)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func run(t *testing.T, name string, properties, ev, objects []byte) map[string]string {
	t.Helper()
	source, err := fs.ReadFile(actions.FS, name+".cue")
	if err != nil {
		t.Fatal(err)
	}
	tmpl, diags := action.Parse(name, string(source))
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	cl := fakeClient(t, objects)
	recorder := &recorder{next: provider.New(provider.Options{Client: cl, Namespace: "default", View: view.Function(cl)})}
	a, diags := tmpl.Compile(action.Options{
		Trigger:    event.Trigger{Name: "golden", Namespace: "default"},
		Properties: object(t, properties),
		Executor:   recorder,
	})
	if len(diags) > 0 {
		return map[string]string{"error": diags.Error() + "\n"}
	}
	out := map[string]string{}
	data := object(t, ev)
	e := event.Event{Source: "resource-watcher", Type: event.Update, Data: data, Time: time.Unix(0, 0)}
	// An action that waits for what a controller would do ends with an error.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := a.Start(nil, nil)(ctx, e); err != nil {
		out["error"] = fmt.Sprintf("%v\nterminal: %v\n", err, action.IsTerminal(err))
	}
	if len(recorder.calls) > 0 {
		text, err := yaml.Marshal(recorder.calls)
		if err != nil {
			t.Fatal(err)
		}
		out["calls"] = string(text)
	}
	return out
}

// recorder records calls and passes them to next. Calls of vela/http and vela/email
// succeed without being executed.
type recorder struct {
	next  provider.Executor
	calls []call
}

type call struct {
	Path   string         `json:"path"`
	Call   string         `json:"call"`
	Params map[string]any `json:"params"`
}

func (r *recorder) Execute(ctx context.Context, c provider.Call) (provider.Result, error) {
	r.calls = append(r.calls, call{c.Path, c.Provider + "." + c.Do, runtime.DeepCopyJSON(c.Params)})
	if c.Provider == "http" || c.Provider == "email" {
		return provider.Result{"$returns": map[string]any{"statusCode": int64(200), "body": "{}"}}, nil
	}
	return r.next.Execute(ctx, c)
}

// fakeClient returns a client with the given objects. Server-side apply succeeds without
// a change.
func fakeClient(t *testing.T, objects []byte) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	b := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
			if patch.Type() == types.ApplyPatchType {
				return nil
			}
			return c.Patch(ctx, obj, patch, opts...)
		},
	})
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, doc := range strings.Split(string(objects), "---\n") {
		m := object(t, []byte(doc))
		if len(m) == 0 {
			continue
		}
		u := &unstructured.Unstructured{Object: m}
		mapper.Add(u.GroupVersionKind(), meta.RESTScopeNamespace)
		scheme.AddKnownTypeWithName(u.GroupVersionKind(), &unstructured.Unstructured{})
		scheme.AddKnownTypeWithName(u.GroupVersionKind().GroupVersion().WithKind(u.GetKind()+"List"), &unstructured.UnstructuredList{})
		b = b.WithObjects(u).WithStatusSubresource(u)
	}
	return b.WithRESTMapper(mapper).Build()
}

func object(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := yaml.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func section(ar *txtar.Archive, name string) []byte {
	for _, f := range ar.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

func set(ar *txtar.Archive, name, data string) {
	ar.Files = slices.DeleteFunc(ar.Files, func(f txtar.File) bool { return f.Name == name })
	if data != "" {
		ar.Files = append(ar.Files, txtar.File{Name: name, Data: []byte(data)})
	}
}
