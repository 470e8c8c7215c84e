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
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/compression"
	"github.com/kubevela/kube-trigger/pkg/diag"
)

//go:embed kube.cue
var kubeSource string

func get(ctx context.Context, _ *executor, c client.Client, call Call) (Result, error) {
	obj, err := readObject(ctx, c, call.Params["resource"], "")
	if err != nil {
		return nil, err
	}
	return Result{"$returns": obj}, nil
}

func read(ctx context.Context, _ *executor, c client.Client, call Call) (Result, error) {
	obj, err := readObject(ctx, c, call.Params["value"], metav1.NamespaceDefault)
	if err != nil {
		return nil, err
	}
	return call.returns(map[string]any{"value": obj}), nil
}

// readObject reads the object that resource identifies, decompressed. Its namespace defaults
// to namespace.
func readObject(ctx context.Context, c client.Client, resource any, namespace string) (map[string]any, error) {
	obj, err := object(resource, namespace)
	if err != nil {
		return nil, err
	}
	if err := c.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
		return nil, err
	}
	compression.Expand(obj.Object)
	return obj.Object, nil
}

func list(ctx context.Context, _ *executor, c client.Client, call Call) (Result, error) {
	resource, _ := call.Params["resource"].(map[string]any)
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion(str(resource, "apiVersion"))
	list.SetKind(str(resource, "kind"))
	options, err := filterOptions(call.Params)
	if err != nil {
		return nil, err
	}
	if err := c.List(ctx, list, &options); err != nil {
		return nil, err
	}
	items := make([]any, len(list.Items))
	for i := range list.Items {
		compression.Expand(list.Items[i].Object)
		items[i] = list.Items[i].Object
	}
	values := map[string]any{"apiVersion": list.GetAPIVersion(), "kind": list.GetKind(), "items": items}
	if call.Legacy {
		return Result{"list": values}, nil
	}
	return Result{"$returns": map[string]any{"items": items, "values": values}}, nil
}

// filterOptions returns the namespace and labels of the parameter filter.
func filterOptions(params map[string]any) (client.ListOptions, error) {
	filter, _ := params["filter"].(map[string]any)
	matching, err := stringMap(filter["matchingLabels"])
	if err != nil {
		return client.ListOptions{}, &ParamError{Path: "filter.matchingLabels", Message: err.Error()}
	}
	return client.ListOptions{Namespace: str(filter, "namespace"), LabelSelector: labels.SelectorFromSet(matching)}, nil
}

// patch sends one patch request, for the parameter subresource unless it is empty. The
// patch type defaults to merge. Calls without the parameter resource are those of the
// workflow.
func patch(ctx context.Context, e *executor, c client.Client, call Call) (Result, error) {
	if _, ok := call.Params["resource"]; !ok {
		return patchValue(ctx, e, c, call)
	}
	obj, err := object(call.Params["resource"], "")
	if err != nil {
		return nil, err
	}
	p, _ := call.Params["patch"].(map[string]any)
	subresource := str(call.Params, "subresource")
	kind := map[string]types.PatchType{
		"": types.MergePatchType, "merge": types.MergePatchType, "json": types.JSONPatchType,
		"strategic": types.StrategicMergePatchType, "apply": types.ApplyPatchType,
	}[str(p, "type")]
	if kind == "" {
		return nil, &ParamError{Path: "patch.type", Message: fmt.Sprintf("must be merge, json, strategic or apply, not %q", str(p, "type"))}
	}
	if p, err = withRemovals(p); err != nil {
		return nil, err
	}
	if p["data"] == nil {
		return nil, &ParamError{Path: "patch.data", Message: "is required"}
	}
	if kind == types.ApplyPatchType && subresource == "" {
		data, ok := p["data"].(map[string]any)
		if !ok {
			return nil, &ParamError{Path: "patch.data", Message: "must be an object"}
		}
		return applyObject(ctx, c, withIdentity(data, obj))
	}
	data, err := json.Marshal(p["data"])
	if err != nil {
		return nil, err
	}
	if subresource != "" {
		err = c.SubResource(subresource).Patch(ctx, obj, client.RawPatch(kind, data))
	} else {
		err = c.Patch(ctx, obj, client.RawPatch(kind, data))
	}
	if err != nil {
		return nil, err
	}
	return Result{"$returns": obj.Object}, nil
}

func apply(ctx context.Context, e *executor, c client.Client, call Call) (Result, error) {
	if _, ok := call.Params["resource"]; !ok {
		return workflow(ctx, e, c, call)
	}
	return applyObject(ctx, c, call.Params["resource"])
}

// applyObject applies an object with server-side apply and forces ownership of its
// fields.
func applyObject(ctx context.Context, c client.Client, resource any) (Result, error) {
	obj, err := object(resource, "")
	if err != nil {
		return nil, err
	}
	obj = obj.DeepCopy()
	obj.SetManagedFields(nil)
	limitEvent(obj.Object)
	if err := c.Patch(ctx, obj, client.Apply, client.ForceOwnership); err != nil {
		return nil, err
	}
	return Result{"$returns": obj.Object}, nil
}

// create creates an object. One that exists already, because the event is repeated, is left
// as it is; then the result is the given object. While an object of the name is being
// deleted, it returns an error: the object can be created afterwards.
func create(ctx context.Context, _ *executor, c client.Client, call Call) (Result, error) {
	obj, err := object(call.Params["resource"], "")
	if err != nil {
		return nil, err
	}
	limitEvent(obj.Object)
	if err := c.Create(ctx, obj); err != nil && (!apierrors.IsAlreadyExists(err) || isBeingDeleted(err)) {
		return nil, err
	}
	return Result{"$returns": obj.Object}, nil
}

// isBeingDeleted reports whether an object cannot be created because that of its name is
// being deleted. The API server says so in the message only.
func isBeingDeleted(err error) bool {
	var refused *apierrors.StatusError
	return errors.As(err, &refused) && strings.HasPrefix(refused.ErrStatus.Message, "object is being deleted: ")
}

// MaxEventMessage is the maximum length of the message of an Event, in bytes: what the
// API server allows in events.k8s.io. Longer ones are cut.
const MaxEventMessage = 1024

// limitEvent cuts the message of an Event. In the core API, the API server accepts any
// length, and messages that templates render may hold whole objects.
func limitEvent(object map[string]any) {
	version, _ := object["apiVersion"].(string)
	if object["kind"] != "Event" || version != "v1" && !strings.HasPrefix(version, "events.k8s.io/") {
		return
	}
	for _, field := range []string{"message", "note"} {
		if text, ok := object[field].(string); ok {
			object[field] = diag.Truncate(text, MaxEventMessage)
		}
	}
}

func remove(ctx context.Context, _ *executor, c client.Client, call Call) (Result, error) {
	value, _ := call.Params["value"].(map[string]any)
	var options client.DeleteOptions
	if p := metav1.DeletionPropagation(str(call.Params, "propagation")); p != "" {
		options.PropagationPolicy = &p
	}
	if _, ok := call.Params["filter"].(map[string]any); ok {
		filter, err := filterOptions(call.Params)
		if err != nil {
			return nil, err
		}
		obj := &unstructured.Unstructured{Object: value}
		return call.returns(map[string]any{}), c.DeleteAllOf(ctx, obj, &client.DeleteAllOfOptions{ListOptions: filter, DeleteOptions: options})
	}
	obj, err := object(value, metav1.NamespaceDefault)
	if err != nil {
		return nil, err
	}
	err = c.Delete(ctx, obj, &options)
	if ignore, _ := call.Params["ignoreNotFound"].(bool); ignore {
		err = client.IgnoreNotFound(err)
	}
	return call.returns(map[string]any{}), err
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
