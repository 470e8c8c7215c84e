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

package rehearsal

import (
	"encoding/base64"
	"maps"
	"reflect"
	"slices"

	workflow "github.com/kubevela/workflow/api/v1alpha1"
	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/redact"
	"github.com/kubevela/kube-trigger/pkg/rights"
)

// clusterScoped reports whether objects of a kind have no namespace: built-in kinds, and
// those of a CustomResourceDefinition in the set. Other kinds are namespaced. o.mu is held.
func (o *Objects) clusterScoped(gk schema.GroupKind) bool {
	if rights.IsClusterScoped(gk) {
		return true
	}
	scope, _, _ := unstructured.NestedString(o.definition(gk), "spec", "scope")
	return scope == "Cluster"
}

// definition returns the CustomResourceDefinition of a kind, or nil.
func (o *Objects) definition(gk schema.GroupKind) map[string]any {
	for _, s := range o.kinds[schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}] {
		group, _, _ := unstructured.NestedString(s.object, "spec", "group")
		kind, _, _ := unstructured.NestedString(s.object, "spec", "names", "kind")
		if group == gk.Group && kind == gk.Kind {
			return s.object
		}
	}
	return nil
}

// hasStatus reports whether a kind has the subresource status, so that other writes leave the
// status as it is. o.mu is held.
func (o *Objects) hasStatus(gvk schema.GroupVersionKind) bool {
	if built := scheme.Scheme.AllKnownTypes()[gvk]; built != nil {
		_, ok := built.FieldByName("Status")
		return ok
	}
	versions, _, _ := unstructured.NestedSlice(o.definition(gvk.GroupKind()), "spec", "versions")
	for _, v := range versions {
		v, _ := v.(map[string]any)
		if _, ok, _ := unstructured.NestedMap(v, "subresources", "status"); ok && v["name"] == gvk.Version {
			return true
		}
	}
	return slices.Contains([]schema.GroupKind{v1beta1.ApplicationKindVersionKind.GroupKind(), workflow.WorkflowRunGroupVersionKind.GroupKind()}, gvk.GroupKind())
}

// hasGeneration reports whether an object has a generation.
func hasGeneration(object map[string]any) bool {
	_, ok := object["spec"]
	return ok
}

// sameSpec reports whether two states have the same generation: all but metadata and status
// are equal.
func sameSpec(a, b map[string]any) bool {
	return sameWithout(a, b, "metadata", "status")
}

// sameContent reports whether two states are equal but for their field managers.
func sameContent(a, b map[string]any) bool {
	if !sameWithout(a, b, "metadata") {
		return false
	}
	before, _ := a["metadata"].(map[string]any)
	after, _ := b["metadata"].(map[string]any)
	return sameWithout(before, after, "managedFields")
}

func sameWithout(a, b map[string]any, fields ...string) bool {
	for _, names := range [][]string{slices.Collect(maps.Keys(a)), slices.Collect(maps.Keys(b))} {
		for _, name := range names {
			if !slices.Contains(fields, name) && !reflect.DeepEqual(a[name], b[name]) {
				return false
			}
		}
	}
	return true
}

// encodeStringData moves the stringData of a Secret to its data.
func encodeStringData(object map[string]any) {
	plain, ok := object["stringData"].(map[string]any)
	if !ok || !redact.IsSecret(object) {
		return
	}
	data, _ := object["data"].(map[string]any)
	data = shallow(data)
	for k, v := range plain {
		text, _ := v.(string)
		data[k] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	object["data"] = data
	delete(object, "stringData")
}

// now returns the time of c as the API server writes it: in seconds.
func now(c clock.PassiveClock) metav1.Time { return metav1.NewTime(c.Now()).Rfc3339Copy() }

// written adds the field manager of a write to an object. Which fields it has written is not
// kept.
func written(object map[string]any, manager string, operation metav1.ManagedFieldsOperationType, at metav1.Time) {
	u := unstructured.Unstructured{Object: object}
	entries := slices.DeleteFunc(u.GetManagedFields(), func(e metav1.ManagedFieldsEntry) bool {
		return e.Manager == manager && e.Operation == operation
	})
	u.SetManagedFields(append(entries, metav1.ManagedFieldsEntry{
		Manager: manager, Operation: operation, APIVersion: u.GetAPIVersion(), Time: &at, FieldsType: "FieldsV1",
	}))
}
