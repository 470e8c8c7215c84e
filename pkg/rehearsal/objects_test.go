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

package rehearsal_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/rehearsal"
)

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := u.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return u
}

// env is a set of objects, and the changes of it.
type env struct {
	*testing.T
	objects *rehearsal.Objects
	client  client.Client
	changes []string
}

func newEnv(t *testing.T, objects ...string) *env {
	t.Helper()
	e := &env{T: t, objects: rehearsal.NewObjects(clocktesting.NewFakePassiveClock(time.Date(2026, 11, 29, 2, 0, 0, 0, time.UTC)))}
	e.objects.Observe(func(c rehearsal.Change) {
		revision := ""
		for _, o := range []map[string]any{c.Old, c.New} {
			revision += " " + (&unstructured.Unstructured{Object: o}).GetResourceVersion()
		}
		e.changes = append(e.changes, strings.TrimSpace(fmt.Sprintf("%s %s by %q:%s", c.Type, c.Ref, c.Writer, revision)))
	})
	for _, text := range objects {
		if err := e.objects.Put(parse(t, text).Object); err != nil {
			t.Fatal(err)
		}
	}
	e.client = e.objects.Client()
	return e
}

func (e *env) want(what string, err error, is func(error) bool) {
	e.Helper()
	if is == nil && err != nil || is != nil && !is(err) {
		e.Errorf("%s: got %v", what, err)
	}
}

// wantObject compares an object, without its managed fields.
func (e *env) wantObject(o map[string]any, want string) {
	e.Helper()
	u := unstructured.Unstructured{Object: o}
	u = *u.DeepCopy()
	u.SetManagedFields(nil)
	if diff := cmp.Diff(parse(e.T, want).Object, u.Object); diff != "" {
		e.Error(diff)
	}
}

const configMap = `{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: prod}, data: {a: "1"}}`

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  template: {spec: {containers: [{name: web, image: web:1}, {name: proxy, image: proxy:1}]}}
status: {replicas: 2}
`

func TestObjects_Write(t *testing.T) {
	e := newEnv(t, configMap)
	c := parse(t, configMap)
	e.want("create", e.client.Create(t.Context(), c), apierrors.IsAlreadyExists)
	c.SetName("other")
	e.want("create", e.client.Create(t.Context(), c, client.FieldOwner("me")), nil)
	e.wantObject(c.Object, `{apiVersion: v1, kind: ConfigMap, metadata: {name: other, namespace: prod, uid: 00000000-0000-4000-8000-000000000002,
		resourceVersion: "2", creationTimestamp: "2026-11-29T02:00:00Z"}, data: {a: "1"}}`)
	stale := c.DeepCopy()
	_ = unstructured.SetNestedField(c.Object, "2", "data", "a")
	e.want("update", e.client.Update(t.Context(), c, client.FieldOwner("me")), nil)
	e.want("stale update", e.client.Update(t.Context(), stale), apierrors.IsConflict)
	e.want("same update", e.client.Update(t.Context(), c), nil)
	e.want("dry run", e.client.Patch(t.Context(), c.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"data":{"a":"9"}}`)), client.DryRunAll), nil)
	e.want("delete", e.client.Delete(t.Context(), stale, client.Preconditions{UID: new(types.UID)}), apierrors.IsConflict)
	e.want("delete", e.client.Delete(t.Context(), stale), nil)
	e.want("delete again", e.client.Delete(t.Context(), stale), apierrors.IsNotFound)
	e.want("get", e.client.Get(t.Context(), client.ObjectKeyFromObject(c), c), apierrors.IsNotFound)
	want := []string{
		`create ConfigMap prod/web by "":  1`, `create ConfigMap prod/other by "me":  2`,
		`update ConfigMap prod/other by "me": 2 3`, `delete ConfigMap prod/other by "": 4`,
	}
	if diff := cmp.Diff(want, e.changes); diff != "" {
		t.Error(diff)
	}
}

func TestObjects_Patch(t *testing.T) {
	gvk := schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
	for name, tc := range map[string]struct {
		kind  types.PatchType
		patch string
		want  string
		is    func(error) bool
	}{
		"merge":           {kind: types.MergePatchType, patch: `{"spec":{"replicas":3},"status":{"replicas":9}}`, want: "2 3 [web:1 proxy:1] 2"},
		"merge list":      {kind: types.MergePatchType, patch: `{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"web:2"}]}}}}`, want: "2 2 [web:2] 2"},
		"strategic":       {kind: types.StrategicMergePatchType, patch: `{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"web:2"}]}}}}`, want: "2 2 [web:2 proxy:1] 2"},
		"json":            {kind: types.JSONPatchType, patch: `[{"op":"replace","path":"/spec/replicas","value":5}]`, want: "2 5 [web:1 proxy:1] 2"},
		"json test":       {kind: types.JSONPatchType, patch: `[{"op":"test","path":"/spec/replicas","value":5}]`, is: apierrors.IsInvalid},
		"metadata only":   {kind: types.MergePatchType, patch: `{"metadata":{"labels":{"a":"b"}}}`, want: "1 2 [web:1 proxy:1] 2"},
		"revision":        {kind: types.MergePatchType, patch: `{"metadata":{"resourceVersion":"77"}}`, is: apierrors.IsConflict},
		"uid":             {kind: types.MergePatchType, patch: `{"metadata":{"uid":"other"}}`, is: apierrors.IsInvalid},
		"apply":           {kind: types.ApplyPatchType, patch: `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"template":{"spec":{"containers":[{"name":"web","image":"web:3"}]}}}}`, want: "2 2 [web:3 proxy:1] 2"},
		"not a JSON text": {kind: types.MergePatchType, patch: `{`, is: apierrors.IsBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, deployment)
			u := &unstructured.Unstructured{}
			u.SetGroupVersionKind(gvk)
			u.SetName("web")
			u.SetNamespace("default")
			err := e.client.Patch(t.Context(), u, client.RawPatch(tc.kind, []byte(tc.patch)))
			e.want("patch", err, tc.is)
			if err != nil {
				return
			}
			replicas, _, _ := unstructured.NestedInt64(u.Object, "spec", "replicas")
			status, _, _ := unstructured.NestedInt64(u.Object, "status", "replicas")
			containers, _, _ := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
			var images []any
			for _, c := range containers {
				images = append(images, c.(map[string]any)["image"])
			}
			if got := fmt.Sprint(u.GetGeneration(), replicas, images, status); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// TestObjects_Apply removes what a manager no longer applies.
func TestObjects_Apply(t *testing.T) {
	for _, apiVersion := range []string{"v1", "example.com/v1"} {
		e := newEnv(t, strings.Replace(configMap, "apiVersion: v1", "apiVersion: "+apiVersion, 1))
		apply := func(data string) *unstructured.Unstructured {
			t.Helper()
			u := parse(t, `{apiVersion: `+apiVersion+`, kind: ConfigMap, metadata: {name: web, namespace: prod}, data: `+data+`}`)
			e.want("apply", e.client.Patch(t.Context(), u, client.Apply, client.ForceOwnership, client.FieldOwner("me")), nil)
			return u
		}
		apply(`{b: "1", c: "1"}`)
		last := apply(`{b: "2"}`)
		if got := fmt.Sprint(last.Object["data"]); got != "map[a:1 b:2]" {
			t.Errorf("%s: got %s", apiVersion, got)
		}
		if again := apply(`{b: "2"}`); again.GetResourceVersion() != last.GetResourceVersion() {
			t.Errorf("%s: the same apply made revision %s of %s", apiVersion, again.GetResourceVersion(), last.GetResourceVersion())
		}
	}
}

func TestObjects_Status(t *testing.T) {
	e := newEnv(t, deployment)
	u := parse(t, deployment)
	u.SetNamespace("default")
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":9},"status":{"replicas":7}}`))
	e.want("patch", e.client.Status().Patch(t.Context(), u, patch), nil)
	replicas, _, _ := unstructured.NestedInt64(u.Object, "spec", "replicas")
	status, _, _ := unstructured.NestedInt64(u.Object, "status", "replicas")
	if got := fmt.Sprint(u.GetGeneration(), replicas, status); got != "1 2 7" {
		t.Errorf("got %s", got)
	}
}

// TestObjects_Finalizers marks an object with a finalizer, and removes it with the finalizer.
func TestObjects_Finalizers(t *testing.T) {
	e := newEnv(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: prod, finalizers: [example.com/x]}}`)
	u := parse(t, configMap)
	e.want("delete", e.client.Delete(t.Context(), u), nil)
	e.want("get", e.client.Get(t.Context(), client.ObjectKeyFromObject(u), u), nil)
	if u.GetDeletionTimestamp() == nil {
		t.Error("no deletion timestamp")
	}
	again := parse(t, configMap)
	if err := e.client.Create(t.Context(), again); !apierrors.IsAlreadyExists(err) || !strings.HasPrefix(err.Error(), "object is being deleted: ") {
		t.Errorf("got %v", err)
	}
	u.SetFinalizers(nil)
	e.want("update", e.client.Update(t.Context(), u), nil)
	e.want("get", e.client.Get(t.Context(), client.ObjectKeyFromObject(u), u), apierrors.IsNotFound)
}

func TestObjects_List(t *testing.T) {
	e := newEnv(t, configMap, `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: prod, labels: {x: z}}}`, `{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}`)
	for want, opts := range map[string][]client.ListOption{
		"default/a prod/a prod/web": nil,
		"prod/a prod/web":           {client.InNamespace("prod")},
		"prod/a":                    {client.MatchingLabels{"x": "z"}},
		"default/a":                 {client.InNamespace("default"), client.MatchingFields{"metadata.name": "a"}},
	} {
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion("v1")
		list.SetKind("ConfigMapList")
		e.want("list", e.client.List(t.Context(), list, opts...), nil)
		var names []string
		for _, item := range list.Items {
			names = append(names, item.GetNamespace()+"/"+item.GetName())
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
