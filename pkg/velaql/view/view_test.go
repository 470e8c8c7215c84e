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

package view_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/velaql/query"
	"github.com/kubevela/kube-trigger/pkg/velaql/view"
	"github.com/kubevela/kube-trigger/test/cluster"
)

const settings = `
	import "vela/kube"
	parameter: {name: string, namespace: string}
	read: kube.#Read & {$params: value: {
		apiVersion: "v1"
		kind:       "ConfigMap"
		metadata: {name: parameter.name, namespace: parameter.namespace}
	}}
`

// env is an API server with a namespace for the test.
type env struct {
	client.Client
	cluster   *cluster.Cluster
	namespace string
}

func newEnv(t *testing.T) env {
	t.Helper()
	c := cluster.Start(t)
	e := env{Client: connect(t, c.Config), cluster: c, namespace: c.Namespace(t)}
	system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "vela-system"}}
	if err := e.Create(t.Context(), system); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	return e
}

func connect(t *testing.T, cfg *rest.Config) client.Client {
	t.Helper()
	c, err := client.New(cfg, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (e env) create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		if o.GetNamespace() == "" {
			o.SetNamespace(e.namespace)
		}
		if err := e.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

// view compiles a query whose calls use the client c.
func (e env) view(t *testing.T, c client.Client, q query.Query) *view.View {
	t.Helper()
	if q.Parameter == nil {
		q.Parameter = map[string]any{"name": "settings", "namespace": e.namespace}
	}
	v, diags := view.New(q, view.Options{Client: c, Executor: provider.New(provider.Options{Client: c})})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	return v
}

// TestEvaluate_Export returns the export of the query, else of the view, else status.
func TestEvaluate_Export(t *testing.T) {
	e := newEnv(t)
	e.create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: map[string]string{"color": "blue"}})
	const all = settings + `
	status: {color: read.$returns.value.data.color, length: len(status.color), list: [status.color]}
	other: "x"
	result: 5
	`
	for name, tc := range map[string]struct {
		q    query.Query
		want any
	}{
		"status":          {query.Query{Template: all}, map[string]any{"color": "blue", "length": int64(4), "list": []any{"blue"}}},
		"export of view":  {query.Query{Template: all + `export: "other"`}, "x"},
		"result":          {query.Query{Template: all, Export: "result"}, int64(5)},
		"export of query": {query.Query{Template: all + `export: "other"`, Export: "status.list[0]"}, "blue"},
	} {
		got, err := e.view(t, e.Client, tc.q).Evaluate(t.Context())
		if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
			t.Error(name, diff, err)
		}
	}
}

// TestEvaluate_NamedView reads the view from its ConfigMap for each evaluation.
func TestEvaluate_NamedView(t *testing.T) {
	e := newEnv(t)
	m := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "view-" + e.namespace, Namespace: "vela-system"},
		Data:       map[string]string{"template": "status: 1"},
	}
	v := e.view(t, e.Client, query.Query{View: m.Name, Parameter: map[string]any{}})
	expect := func(want any, problem string) {
		t.Helper()
		got, err := v.Evaluate(t.Context())
		if problem != "" {
			if err == nil || !strings.Contains(err.Error(), problem) {
				t.Errorf("got %v and %v, want %s", got, err, problem)
			}
		} else if got != want || err != nil {
			t.Errorf("got %v and %v, want %v", got, err, want)
		}
	}
	expect(nil, "not found")
	e.create(t, m)
	expect(int64(1), "")
	for text, want := range map[string]any{"status: 2": int64(2), "status: \"x\"": "x"} {
		m.Data["template"] = text
		if err := e.Update(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		expect(want, "")
	}
	m.Data["template"] = "status: 1 +"
	if err := e.Update(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	expect(nil, "template:1:12")
	delete(m.Data, "template")
	if err := e.Update(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	expect(nil, `has no key "template"`)
}

// TestEvaluate_ReadOnly rejects calls with side effects and hides the data of Secrets.
func TestEvaluate_ReadOnly(t *testing.T) {
	e := newEnv(t)
	e.create(t,
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "hidden", Annotations: map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "hunter2"}},
			StringData: map[string]string{"password": "hunter2"},
		},
	)
	object := fmt.Sprintf(`{apiVersion: "v1", kind: "ConfigMap", metadata: {name: "settings", namespace: %q}, data: a: "b"}`, e.namespace)
	for name, template := range map[string]string{
		"apply":  `import "vela/kube"` + "\na: kube.#Apply & {$params: resource: " + object + "}\nstatus: a.$returns",
		"delete": `import "vela/op"` + "\na: op.#Delete & {value: {apiVersion: \"v1\", kind: \"ConfigMap\", metadata: {name: \"settings\", namespace: \"default\"}}}\nstatus: a.value",
		"post":   `import "vela/http"` + "\n" + `a: http.#HTTPDo & {$params: {method: "POST", url: "http://example.com"}}` + "\nstatus: a.$returns",
		"views":  `import "vela/ql"` + "\n" + `a: ql.#View & {$params: {template: "status: 1"}}` + "\nstatus: a.$returns",
		"config": `import "vela/config"` + "\n" + `a: config.#ListConfig & {$params: {template: "x", namespace: "y"}}` + "\nstatus: a.$returns",
	} {
		_, err := e.view(t, e.Client, query.Query{Template: template, Parameter: map[string]any{}}).Evaluate(t.Context())
		if !action.IsTerminal(err) || !strings.Contains(err.Error(), "views are read-only") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, call := range map[string]string{
		"read": `kube.#Read & {$params: value: {apiVersion: "v1", kind: "Secret", metadata: {name: "hidden", namespace: %q}}}`,
		"get":  `kube.#Get & {$params: resource: {apiVersion: "v1", kind: "Secret", metadata: {name: "hidden", namespace: %q}}}`,
		"list": `kube.#List & {$params: {resource: {apiVersion: "v1", kind: "Secret"}, filter: namespace: %q}}`,
		"op":   `op.#Read & {value: {apiVersion: "v1", kind: "Secret", metadata: {name: "hidden", namespace: %q}}}`,
		"ops":  `op.#List & {resource: {apiVersion: "v1", kind: "Secret"}, filter: namespace: %q}`,
		"ql":   `ql.#Read & {value: {apiVersion: "v1", kind: "Secret", metadata: {name: "hidden", namespace: %q}}}`,
	} {
		imported, _, _ := strings.Cut(call, ".")
		template := fmt.Sprintf("import %q\nstatus: "+call, "vela/"+imported, e.namespace)
		got, err := e.view(t, e.Client, query.Query{Template: template, Parameter: map[string]any{}}).Evaluate(t.Context())
		if text := fmt.Sprint(got); err != nil || !strings.Contains(text, "hidden") || strings.Contains(text, "hunter2") || strings.Contains(text, "aHVudGVyMg") {
			t.Errorf("%s: got %v and %v", name, got, err)
		}
	}
}

// TestEvaluate_Errors leaves only "not found" to the view; other errors fail it.
func TestEvaluate_Errors(t *testing.T) {
	e := newEnv(t)
	powerless := connect(t, e.cluster.ServiceAccount(t, e.namespace, "powerless"))
	const handlesErr = settings + `
	status: [if read.$returns.err != _|_ {{reason: read.$returns.err}}, read.$returns.value][0]
	`
	got, err := e.view(t, e.Client, query.Query{Template: handlesErr}).Evaluate(t.Context())
	if text := fmt.Sprint(got); err != nil || !strings.Contains(text, "not found") {
		t.Errorf("got %v and %v", got, err)
	}
	_, err = e.view(t, powerless, query.Query{Template: handlesErr}).Evaluate(t.Context())
	if !apierrors.IsForbidden(err) {
		t.Errorf("got %v, want a forbidden error", err)
	}
	const old = `
	import "vela/op"
	parameter: {...}
	read: op.#Read & {value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: parameter.name, namespace: parameter.namespace}}}
	status: [if read.err != _|_ {{error: read.err}}, read.value][0]
	`
	_, err = e.view(t, e.Client, query.Query{Template: old}).Evaluate(t.Context())
	if err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("got %v, want the error in the view's value", err)
	}
	if _, err = e.view(t, powerless, query.Query{Template: old}).Evaluate(t.Context()); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("got %v, want a forbidden error", err)
	}
	if _, err = e.view(t, e.Client, query.Query{Template: "x: 1", Parameter: map[string]any{}}).Evaluate(t.Context()); !action.IsTerminal(err) || err.Error() != `view template: template "template" has no status` {
		t.Errorf("got %v", err)
	}
	large := fmt.Sprintf("import \"strings\"\nstatus: strings.Repeat(\"x\", %d)", view.MaxValue)
	if _, err = e.view(t, e.Client, query.Query{Template: large, Parameter: map[string]any{}}).Evaluate(t.Context()); !action.IsTerminal(err) || !strings.Contains(err.Error(), "exceeds 1024 KiB") {
		t.Errorf("got %v", err)
	}
}

// fakeTracker is a CrashTracker that counts evaluations.
type fakeTracker struct {
	mu           sync.Mutex
	began, ended int
	fatal        bool
}

func (w *fakeTracker) Begin(string) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.began++
	return func() { w.ended++ }
}

func (w *fakeTracker) Crashed() bool { return w.fatal }

// fakeExecutor fails calls, and checks that no evaluation is recorded during a call.
type fakeExecutor struct {
	t *testing.T
	w *fakeTracker
}

func (a fakeExecutor) Execute(context.Context, provider.Call) (provider.Result, error) {
	if a.w.began != a.w.ended {
		a.t.Error("a call is executed during a recorded evaluation")
	}
	return nil, errors.New("unavailable")
}

func TestEvaluate_CrashTracker(t *testing.T) {
	w := &fakeTracker{}
	o := view.Options{Executor: fakeExecutor{t, w}, CrashTracker: func(string) view.CrashTracker { return w }}
	v, diags := view.New(query.Query{Template: settings + "status: read.$returns", Parameter: map[string]any{"name": "a", "namespace": "b"}}, o)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if _, err := v.Evaluate(t.Context()); err == nil || !strings.Contains(err.Error(), "unavailable") {
		t.Errorf("got %v", err)
	}
	if w.began != 2 || w.ended != 2 {
		t.Errorf("began %d times, and ended %d times", w.began, w.ended)
	}
	w.fatal = true
	if _, err := v.Evaluate(t.Context()); !action.IsTerminal(err) || w.began != 2 {
		t.Errorf("got %v after %d evaluations", err, w.began)
	}
}

// TestExecutor_View returns the values of views to actions.
func TestExecutor_View(t *testing.T) {
	b := newEnv(t)
	sa := connect(t, b.cluster.ServiceAccount(t, b.namespace, "reader",
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get"}}))
	b.create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: map[string]string{"color": "blue"}})
	e := provider.New(provider.Options{Client: sa, View: view.Function(sa)})
	params := map[string]any{
		"template": settings + "status: read.$returns.value.data", "export": "status.color",
		"parameter": map[string]any{"name": "settings", "namespace": b.namespace},
	}
	for range 2 {
		got, err := e.Execute(t.Context(), provider.Call{Provider: "query", Do: "view", Params: params})
		if diff := cmp.Diff(provider.Result{"$returns": map[string]any{"value": "blue"}}, got); diff != "" || err != nil {
			t.Error(diff, err)
		}
	}
	for name, params := range map[string]map[string]any{
		"empty":  {},
		"broken": {"template": "status: 1 +"},
		"both":   {"template": "status: 1", "view": "x"},
	} {
		if _, err := e.Execute(t.Context(), provider.Call{Provider: "query", Do: "view", Params: params}); !action.IsTerminal(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
