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
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// identityCase is an action on the event's own object.
type identityCase struct {
	name, action string
	properties   map[string]any
	// make creates the object.
	make func(t *testing.T, e env) *unstructured.Unstructured
}

func configMap(t *testing.T, e env) *unstructured.Unstructured {
	t.Helper()
	return e.create(t, "v1", "ConfigMap", "task", map[string]any{"data": map[string]any{"state": "new"}})
}

func deployment(t *testing.T, e env) *unstructured.Unstructured {
	t.Helper()
	return e.deployment(t, "web", 1)
}

func app(t *testing.T, e env) *unstructured.Unstructured {
	t.Helper()
	return e.application(t)
}

// named returns the properties of an action that names an object instead of using its
// default.
func named(e env, kind string, more map[string]any) map[string]any {
	out := map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": "task", "namespace": e.namespace}}
	for k, v := range more {
		out[k] = v
	}
	return out
}

// identityCases returns actions that change the event's object. Objects that are made anew
// under the same name are common: pods of a StatefulSet (kubewharf/katalyst-core#924,
// kubeedge/kubeedge#4244, zalando-incubator/cluster-lifecycle-manager#28), what GitOps
// deletes and applies (gke-labs/pod-migration#18), volumes (instaclustr/cassandra-operator#407).
func identityCases(e env) []identityCase {
	patch := func(kind string, data any) map[string]any {
		return map[string]any{"resource": named(e, "ConfigMap", nil), "patch": map[string]any{"type": kind, "data": data}}
	}
	return []identityCase{
		{"merge patch", "patch-resource", patch("merge", map[string]any{"data": map[string]any{"state": "done"}}), configMap},
		{"strategic patch", "patch-resource", patch("strategic", map[string]any{"data": map[string]any{"state": "done"}}), configMap},
		{"JSON patch", "patch-resource", patch("json", []any{map[string]any{"op": "add", "path": "/data/state", "value": "done"}}), configMap},
		{"apply patch", "patch-resource", patch("apply", map[string]any{"data": map[string]any{"state": "done"}}), configMap},
		{"apply", "apply-resource", map[string]any{"resource": named(e, "ConfigMap", map[string]any{"data": map[string]any{"state": "done"}})}, configMap},
		{"restart", "restart-workload", nil, deployment},
		{"scale", "scale-workload", map[string]any{"replicas": int64(0)}, deployment},
		{"scale by", "scale-workload", map[string]any{"by": int64(2)}, deployment},
		{"bump", "bump-application-revision", nil, app},
		{"patch component", "patch-application", map[string]any{"component": "web", "image": "web:9"}, app},
		{"suspend", "suspend-workflow", nil, app},
		{"resume", "resume-workflow", nil, app},
		{"restart workflow", "restart-workflow", nil, app},
	}
}

// TestIdentity_Replaced: an action on the event's object does not change another object of
// the same name, and says so.
func TestIdentity_Replaced(t *testing.T) {
	for _, tc := range identityCases(env{}) {
		t.Run(tc.name, func(t *testing.T) {
			e := startVela(t)
			for _, c := range identityCases(e) {
				if c.name == tc.name {
					tc = c
				}
			}
			old := tc.make(t, e)
			act := e.action(t, e.Client, tc.action, tc.properties)
			ev := updateOf(old)
			if err := e.Delete(t.Context(), old.DeepCopy()); err != nil {
				t.Fatal(err)
			}
			wantGone(t, act.Run(t.Context(), ev), provider.ReasonObjectGone)
			now := tc.make(t, e)
			wantGone(t, act.Run(t.Context(), ev), provider.ReasonObjectReplaced)
			if got := e.get(t, now); got.GetResourceVersion() != now.GetResourceVersion() {
				t.Errorf("the new object was changed: %v", got.Object)
			}
		})
	}
}

// wantGone wants a terminal GoneError with the reason.
func wantGone(t *testing.T, err error, reason string) {
	t.Helper()
	var gone *provider.GoneError
	if !errors.As(err, &gone) || !action.IsTerminal(err) || gone.Reason() != reason {
		t.Errorf("got %v, want the reason %s", err, reason)
	}
}

// TestIdentity_Delete: delete-resource deletes the event's object only, also a cluster-scoped
// one and after its deletion event. The result says that another object was found.
func TestIdentity_Delete(t *testing.T) {
	e := start(t)
	role := func() *unstructured.Unstructured {
		r := e.newObject("rbac.authorization.k8s.io/v1", "ClusterRole", "identity-"+e.namespace)
		if err := e.Create(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	for name, create := range map[string]func() *unstructured.Unstructured{
		"namespaced":     func() *unstructured.Unstructured { return configMap(t, e) },
		"cluster-scoped": role,
	} {
		for _, kind := range []string{event.Update, event.Delete} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				old := create()
				ev := updateOf(old)
				ev.Type = kind
				if err := e.Delete(t.Context(), old.DeepCopy()); err != nil {
					t.Fatal(err)
				}
				remove := e.action(t, e.Client, "delete-resource", nil)
				wantUnchanged(t, remove, ev, provider.ReasonUnchanged)
				now := create()
				wantUnchanged(t, remove, ev, provider.ReasonObjectReplaced)
				if got := e.get(t, now); got.GetUID() != now.GetUID() {
					t.Errorf("the new object was deleted")
				}
				strict := e.action(t, e.Client, "delete-resource", map[string]any{"ignoreNotFound": false})
				wantGone(t, strict.Run(t.Context(), ev), provider.ReasonObjectReplaced)
				e.mustRun(t, "delete-resource", nil, updateOf(now))
				if err := e.Get(t.Context(), client.ObjectKeyFromObject(now), now); err == nil {
					t.Error("the event's own object was not deleted")
				}
			})
		}
	}
}

// wantUnchanged wants the result that nothing was changed.
func wantUnchanged(t *testing.T, c compiled, ev event.Event, reason string) {
	t.Helper()
	result, err := c.Result(t.Context(), ev)
	if u, ok := result.(event.Unchanged); err != nil || !ok || u.Reason != reason {
		t.Errorf("got %v, %v, want the reason %q", result, err, reason)
	}
}

// wantChanged wants a result that does not say that nothing was changed.
func wantChanged(t *testing.T, c compiled, ev event.Event) {
	t.Helper()
	result, err := c.Result(t.Context(), ev)
	if u, ok := result.(event.Unchanged); err != nil || ok {
		t.Errorf("got %v (%v), %v, want a change", result, u, err)
	}
}

// TestIdentity_Recreate: an object that was deleted can be created again by its deletion
// event.
func TestIdentity_Recreate(t *testing.T) {
	e := start(t)
	old := configMap(t, e)
	ev := updateOf(old)
	ev.Type = event.Delete
	if err := e.Delete(t.Context(), old.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	heal := map[string]any{"resource": named(e, "ConfigMap", map[string]any{"data": map[string]any{"state": "healed"}})}
	for range 2 {
		e.mustRun(t, "apply-resource", heal, ev)
	}
	if got := e.get(t, old); got.GetUID() == old.GetUID() || field[string](t, got, "data", "state") != "healed" {
		t.Errorf("got %v", got.Object)
	}
}

// TestIdentity_OtherNames: objects that are not the event's are changed whatever their UID.
func TestIdentity_OtherNames(t *testing.T) {
	e := start(t)
	ev := updateOf(e.create(t, "v1", "ConfigMap", "other", nil))
	for range 2 {
		cm := configMap(t, e)
		e.mustRun(t, "patch-resource", map[string]any{
			"resource": named(e, "ConfigMap", nil), "patch": map[string]any{"data": map[string]any{"data": map[string]any{"state": "done"}}},
		}, ev)
		if got := field[string](t, e.get(t, cm), "data", "state"); got != "done" {
			t.Errorf("state is %q", got)
		}
		if err := e.Delete(t.Context(), cm); err != nil {
			t.Fatal(err)
		}
	}
}
