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

package provider

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"

	wfkube "github.com/kubevela/workflow/pkg/providers/kube"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

//go:embed kube.cue
var kubeSource string

// kube executes `vela/kube`.
type kube struct{ client client.Client }

func (k kube) execute(ctx context.Context, call Call) (Result, error) {
	switch call.Do {
	case "get":
		obj, err := k.get(ctx, call.Params["resource"], "")
		return returns(obj, err)
	case "wait":
		obj, err := k.wait(ctx, call.Params)
		return returns(obj, err)
	case "read":
		obj, err := k.get(ctx, call.Params["value"], metav1.NamespaceDefault)
		return call.resultOrErr(map[string]any{"value": obj}, err)
	case "list":
		list, err := k.list(ctx, call.Params)
		return call.resultOrErr(list, err)
	case "delete":
		return call.resultOrErr(map[string]any{}, k.delete(ctx, call.Params))
	case "patch":
		if resource, ok := call.Params["resource"]; ok {
			obj, err := k.patch(ctx, resource, call.Params["patch"], str(call.Params, "subresource"))
			return returns(obj, err)
		}
	case "apply":
		if resource, ok := call.Params["resource"]; ok {
			obj, err := k.apply(ctx, resource)
			return returns(obj, err)
		}
	}
	fn := wfkube.GetProviders()[call.Do]
	if fn == nil {
		return nil, fmt.Errorf("no function %q in vela/kube", call.Do)
	}
	if call.Params["value"] == nil {
		return nil, &ParamError{Path: "value", Message: "is required"}
	}
	value, err := fn.Call((&executor{}).runtime(ctx, k.client, &step{}), call.Value)
	if err != nil {
		return nil, err
	}
	return decode(value)
}

func (k kube) get(ctx context.Context, resource any, namespace string) (map[string]any, error) {
	obj, err := object(resource, namespace)
	if err != nil {
		return nil, err
	}
	if err := k.client.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
		return nil, err
	}
	return obj.Object, nil
}

func (k kube) list(ctx context.Context, params map[string]any) (map[string]any, error) {
	resource, _ := params["resource"].(map[string]any)
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion(str(resource, "apiVersion"))
	list.SetKind(str(resource, "kind"))
	filter, _ := params["filter"].(map[string]any)
	matching, err := stringMap(filter["matchingLabels"])
	if err != nil {
		return nil, &ParamError{Path: "filter.matchingLabels", Message: err.Error()}
	}
	options := client.ListOptions{Namespace: str(filter, "namespace"), LabelSelector: labels.SelectorFromSet(matching)}
	if err := k.client.List(ctx, list, &options); err != nil {
		return nil, err
	}
	items := make([]any, len(list.Items))
	for i := range list.Items {
		items[i] = list.Items[i].Object
	}
	return map[string]any{
		"items":  items,
		"values": map[string]any{"apiVersion": list.GetAPIVersion(), "kind": list.GetKind(), "items": items},
	}, nil
}

// patch sends one patch request, for the subresource unless it is empty. The patch type
// defaults to merge.
func (k kube) patch(ctx context.Context, resource, patch any, subresource string) (map[string]any, error) {
	obj, err := object(resource, "")
	if err != nil {
		return nil, err
	}
	p, _ := patch.(map[string]any)
	kind := map[string]types.PatchType{
		"": types.MergePatchType, "merge": types.MergePatchType, "json": types.JSONPatchType,
		"strategic": types.StrategicMergePatchType, "apply": types.ApplyPatchType,
	}[str(p, "type")]
	if kind == "" {
		return nil, &ParamError{Path: "patch.type", Message: fmt.Sprintf("must be merge, json, strategic or apply, not %q", str(p, "type"))}
	}
	if p["data"] == nil {
		return nil, &ParamError{Path: "patch.data", Message: "is required"}
	}
	if kind == types.ApplyPatchType && subresource == "" {
		data, ok := p["data"].(map[string]any)
		if !ok {
			return nil, &ParamError{Path: "patch.data", Message: "must be an object"}
		}
		return k.apply(ctx, withIdentity(data, obj))
	}
	data, err := json.Marshal(p["data"])
	if err != nil {
		return nil, err
	}
	if subresource != "" {
		err = k.client.SubResource(subresource).Patch(ctx, obj, client.RawPatch(kind, data))
	} else {
		err = k.client.Patch(ctx, obj, client.RawPatch(kind, data))
	}
	if err != nil {
		return nil, err
	}
	return obj.Object, nil
}

// apply applies an object with server-side apply and forces ownership of its fields.
func (k kube) apply(ctx context.Context, resource any) (map[string]any, error) {
	obj, err := object(resource, "")
	if err != nil {
		return nil, err
	}
	obj = obj.DeepCopy()
	obj.SetManagedFields(nil)
	if err := k.client.Patch(ctx, obj, client.Apply, client.ForceOwnership); err != nil {
		return nil, err
	}
	return obj.Object, nil
}

func (k kube) delete(ctx context.Context, params map[string]any) error {
	value, _ := params["value"].(map[string]any)
	var propagation *metav1.DeletionPropagation
	if p := metav1.DeletionPropagation(str(params, "propagation")); p != "" {
		propagation = &p
	}
	if filter, ok := params["filter"].(map[string]any); ok {
		obj := &unstructured.Unstructured{Object: value}
		matching, err := stringMap(filter["matchingLabels"])
		if err != nil {
			return &ParamError{Path: "filter.matchingLabels", Message: err.Error()}
		}
		options := client.DeleteAllOfOptions{ListOptions: client.ListOptions{
			Namespace: str(filter, "namespace"), LabelSelector: labels.SelectorFromSet(matching),
		}, DeleteOptions: client.DeleteOptions{PropagationPolicy: propagation}}
		return k.client.DeleteAllOf(ctx, obj, &options)
	}
	obj, err := object(value, metav1.NamespaceDefault)
	if err != nil {
		return err
	}
	err = k.client.Delete(ctx, obj, &client.DeleteOptions{PropagationPolicy: propagation})
	if ignore, _ := params["ignoreNotFound"].(bool); ignore {
		return client.IgnoreNotFound(err)
	}
	return err
}

// object returns the object that param identifies. Its namespace defaults to namespace.
func object(param any, namespace string) (*unstructured.Unstructured, error) {
	m, ok := param.(map[string]any)
	if !ok {
		return nil, &ParamError{Path: "resource", Message: "must be an object"}
	}
	obj := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(m)}
	for path, v := range map[string]string{"apiVersion": obj.GetAPIVersion(), "kind": obj.GetKind(), "metadata.name": obj.GetName()} {
		if v == "" {
			return nil, &ParamError{Path: "resource." + path, Message: "is required"}
		}
	}
	if obj.GetNamespace() == "" && namespace != "" {
		obj.SetNamespace(namespace)
	}
	return obj, nil
}

// withIdentity returns data with the kind, name and namespace of obj.
func withIdentity(data map[string]any, obj *unstructured.Unstructured) map[string]any {
	out := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(data)}
	out.SetGroupVersionKind(obj.GroupVersionKind())
	out.SetName(obj.GetName())
	out.SetNamespace(obj.GetNamespace())
	return out.Object
}

func returns(obj map[string]any, err error) (Result, error) {
	if err != nil {
		return nil, err
	}
	return Result{"$returns": obj}, nil
}

// resultOrErr returns err in `$returns.err` if the template refers to that field, else
// as an error.
func (c Call) resultOrErr(result map[string]any, err error) (Result, error) {
	if err == nil {
		return Result{"$returns": result}, nil
	}
	if !c.HandlesErr {
		return nil, err
	}
	return Result{"$returns": map[string]any{"err": err.Error()}}, nil
}

// legacyResultOrErr is resultOrErr for functions that return fields without `$returns`.
func (c Call) legacyResultOrErr(result map[string]any, err error) (Result, error) {
	returned, err := c.resultOrErr(result, err)
	fields, _ := returned["$returns"].(map[string]any)
	return fields, err
}

// legacy executes read and list of `vela/op`.
func (k kube) legacy(ctx context.Context, call Call) (Result, error) {
	if call.Do == "list" {
		list, err := k.list(ctx, call.Params)
		return call.legacyResultOrErr(map[string]any{"list": list["values"]}, err)
	}
	obj, err := k.get(ctx, call.Params["value"], metav1.NamespaceDefault)
	return call.legacyResultOrErr(map[string]any{"value": obj}, err)
}

// ParamError is an invalid parameter of a call. It is not retried.
type ParamError struct{ Path, Message string }

func (e *ParamError) Error() string { return "$params." + e.Path + ": " + e.Message }

func str(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

func stringMap(v any) (map[string]string, error) {
	m, ok := v.(map[string]any)
	if !ok && v != nil {
		return nil, fmt.Errorf("must be an object")
	}
	out := make(map[string]string, len(m))
	for k, e := range m {
		s, ok := e.(string)
		if !ok {
			return nil, fmt.Errorf("%q must be a string", k)
		}
		out[k] = s
	}
	return out, nil
}
