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
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/egress"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/loopguard"
	"github.com/kubevela/kube-trigger/pkg/velaql/view"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// env is an API server with the Application CRD, and a namespace for the test.
type env struct {
	*cluster.Cluster
	client.Client
	namespace string
	policy    egress.AddressPolicy
}

func start(t *testing.T) env {
	c := cluster.Start(t)
	c.InstallApplicationCRD(t)
	return env{Cluster: c, Client: connect(t, c.Config), namespace: c.Namespace(t)}
}

func connect(t *testing.T, cfg *rest.Config) client.Client {
	t.Helper()
	c, err := client.New(cfg, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// action compiles a built-in action of the trigger "live" with the client c.
func (e env) action(t *testing.T, c client.Client, name string, properties map[string]any) compiled {
	t.Helper()
	source, err := fs.ReadFile(actions.FS, name+".cue")
	if err != nil {
		t.Fatal(err)
	}
	tmpl, diags := action.Parse(name, string(source))
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	id := event.TriggerRef{Name: "live", Namespace: e.namespace}
	out := egress.NewClient(e.policy)
	t.Cleanup(out.Close)
	executor := provider.New(provider.Options{
		Client: client.WithFieldOwner(c, loopguard.FieldManager(id)), Namespace: e.namespace, Egress: out, View: view.Function(c),
	})
	a, diags := tmpl.Compile(action.Options{Trigger: event.Trigger{Name: id.Name, Namespace: id.Namespace}, Properties: properties, Executor: executor})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	return compiled{a}
}

// compiled is an action.
type compiled struct{ action *action.Action }

// Result runs the action once and returns its result.
func (c compiled) Result(ctx context.Context, ev event.Event) (any, error) {
	return c.action.Start(nil, nil)(ctx, ev)
}

// Run runs the action once.
func (c compiled) Run(ctx context.Context, ev event.Event) error {
	_, err := c.Result(ctx, ev)
	return err
}

func (e env) create(t *testing.T, apiVersion, kind, name string, more map[string]any) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
	for k, v := range more {
		u.Object[k] = v
	}
	u.SetName(name)
	u.SetNamespace(e.namespace)
	if kind == "Application" {
		u.Object["spec"] = map[string]any{"components": []any{}}
	}
	if err := e.Create(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	return u
}

func (e env) get(t *testing.T, obj *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	u := obj.DeepCopy()
	if err := e.Get(t.Context(), client.ObjectKeyFromObject(obj), u); err != nil {
		t.Fatal(err)
	}
	return u
}

const version = "app.oam.dev/publishVersion"

// TestBumpApplicationRevision_Concurrent increments the version once for each of several
// concurrent events.
func TestBumpApplicationRevision_Concurrent(t *testing.T) {
	e := start(t)
	app := e.create(t, "core.oam.dev/v1beta1", "Application", "web", nil)
	bump := e.action(t, e.Client, "bump-application-revision", map[string]any{"nameSelector": map[string]any{"name": "web"}})
	const events, workers = 40, 4
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range events / workers {
				// Conflicts are retried, as the engine does.
				err := bump.Run(t.Context(), e.event("anything"))
				for err != nil && !action.IsTerminal(err) && t.Context().Err() == nil {
					err = bump.Run(t.Context(), e.event("anything"))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got := e.get(t, app)
	if v := got.GetAnnotations()[version]; v != fmt.Sprint(events) {
		t.Errorf("version %s after %d events", v, events)
	}
	managers := got.GetManagedFields()
	if m := managers[len(managers)-1].Manager; m != "kube-trigger/"+e.namespace+"/live" {
		t.Errorf("written by %q, want the trigger's own field manager", m)
	}
}

func (e env) event(name string) event.Event {
	return event.Event{Source: "resource-watcher", Type: event.Update, Data: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": e.namespace},
	}}
}

// TestPatchResource_Types applies each patch type.
func TestPatchResource_Types(t *testing.T) {
	e := start(t)
	for _, tc := range []struct {
		kind string
		data any
		want map[string]any
	}{
		{"merge", map[string]any{"data": map[string]any{"a": "2", "b": nil}}, map[string]any{"a": "2"}},
		{"json", []any{map[string]any{"op": "replace", "path": "/data/a", "value": "3"}}, map[string]any{"a": "3", "b": "1"}},
		{"strategic", map[string]any{"data": map[string]any{"c": "4"}}, map[string]any{"a": "1", "b": "1", "c": "4"}},
		{"apply", map[string]any{"data": map[string]any{"a": "5"}}, map[string]any{"a": "5", "b": "1"}},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			cm := e.create(t, "v1", "ConfigMap", "patch-"+tc.kind, map[string]any{"data": map[string]any{"a": "1", "b": "1"}})
			patch := e.action(t, e.Client, "patch-resource", map[string]any{
				"resource": map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": cm.GetName(), "namespace": e.namespace},
				"patch":    map[string]any{"type": tc.kind, "data": tc.data},
			})
			if err := patch.Run(t.Context(), e.event("anything")); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, e.get(t, cm).Object["data"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestPatchResource_Remove: what `remove` names is removed, whether it exists or not.
func TestPatchResource_Remove(t *testing.T) {
	e := start(t)
	cm := e.create(t, "v1", "ConfigMap", "remove", map[string]any{
		"data":     map[string]any{"a": "1", "b.txt": "1", "c": "1"},
		"metadata": map[string]any{"annotations": map[string]any{"example.com/paused": "yes", "kept": "yes"}},
	})
	for name, tc := range map[string]struct {
		patch map[string]any
		want  string
	}{
		"list":      {map[string]any{"type": "merge", "remove": []any{`metadata.annotations["example.com/paused"]`, `data["b.txt"]`, "data.never", "spec.nothing"}, "data": map[string]any{"data": map[string]any{"a": "2"}}}, ""},
		"set":       {map[string]any{"remove": []any{"data.a"}, "data": map[string]any{"data": map[string]any{"a": "2"}}}, "$params.patch.remove[0]: data.a is set in patch.data"},
		"set above": {map[string]any{"remove": []any{"data.a.b"}, "data": map[string]any{"data": map[string]any{"a": "2"}}}, "$params.patch.remove[0]: data.a.b is set in patch.data"},
	} {
		t.Run(name, func(t *testing.T) {
			patch := e.action(t, e.Client, "patch-resource", map[string]any{
				"resource": map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": cm.GetName(), "namespace": e.namespace}, "patch": tc.patch,
			})
			err := patch.Run(t.Context(), e.event("anything"))
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
	got := e.get(t, cm)
	if diff := cmp.Diff(map[string]any{"a": "2", "c": "1"}, got.Object["data"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"kept": "yes"}, got.GetAnnotations()); diff != "" {
		t.Error(diff)
	}
}

// TestBumpApplicationRevision_Forbidden returns an error with the user, the verb and the
// resource, which is retried: the right may be given meanwhile.
func TestBumpApplicationRevision_Forbidden(t *testing.T) {
	e := start(t)
	e.create(t, "core.oam.dev/v1beta1", "Application", "web", nil)
	reader := e.ServiceAccount(t, e.namespace, "reader", rbacv1.PolicyRule{
		APIGroups: []string{"core.oam.dev"}, Resources: []string{"applications"}, Verbs: []string{"get"},
	})
	bump := e.action(t, connect(t, reader), "bump-application-revision", nil)
	err := bump.Run(t.Context(), e.event("web"))
	want := fmt.Sprintf(`User "system:serviceaccount:%s:reader" cannot patch resource "applications"`, e.namespace)
	if err == nil || !strings.Contains(err.Error(), want) || action.IsTerminal(err) {
		t.Errorf("got %v, want a retriable error with %q", err, want)
	}
}

// TestBumpApplicationRevision_NotFound returns an error with the object's name, which is
// retried: the object may be created meanwhile.
func TestBumpApplicationRevision_NotFound(t *testing.T) {
	e := start(t)
	bump := e.action(t, e.Client, "bump-application-revision", nil)
	err := bump.Run(t.Context(), e.event("nothing"))
	if want := `applications.core.oam.dev "nothing" not found`; err == nil || !strings.Contains(err.Error(), want) || action.IsTerminal(err) {
		t.Errorf("got %v, want a retriable error with %q", err, want)
	}
}
