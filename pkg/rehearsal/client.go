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
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// Client returns a client of the objects. It is safe for concurrent use.
func (o *Objects) Client() client.Client { return objectsClient{o} }

type objectsClient struct{ objects *Objects }

var _ client.Client = objectsClient{}

// Get implements client.Reader.
func (c objectsClient) Get(ctx context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	gvk, err := c.GroupVersionKindFor(obj)
	if err != nil {
		return err
	}
	if err := c.objects.load(ctx, gvk, key); err != nil {
		return err
	}
	c.objects.mu.Lock()
	defer c.objects.mu.Unlock()
	ref := c.objects.ref(gvk.GroupKind(), key.Namespace, key.Name)
	s := c.objects.kinds[ref.GroupKind][ref.NamespacedName]
	if s == nil {
		c.objects.missed(ref)
		return notFound(ref)
	}
	return fill(obj, gvk, s.object)
}

// List implements client.Reader. It knows the selectors of labels, and of the fields
// metadata.name and metadata.namespace.
func (c objectsClient) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	gvk, err := c.listKind(list)
	if err != nil {
		return err
	}
	options := client.ListOptions{}
	options.ApplyOptions(opts)
	if err := c.objects.loadList(ctx, gvk, &options); err != nil {
		return err
	}
	matching := c.objects.matching(gvk.GroupKind(), options)
	items := make([]any, len(matching))
	for i, object := range matching {
		items[i] = versioned(gvk, object)
	}
	c.objects.mu.Lock()
	content := map[string]any{
		"apiVersion": gvk.GroupVersion().String(), "kind": gvk.Kind + "List",
		"metadata": map[string]any{"resourceVersion": fmt.Sprint(c.objects.revision)}, "items": items,
	}
	c.objects.mu.Unlock()
	if u, ok := list.(*unstructured.UnstructuredList); ok {
		u.SetUnstructuredContent(content)
		return nil
	}
	return convert(content, list)
}

// matching returns the objects of a kind that options select, by namespace and name.
func (o *Objects) matching(gk schema.GroupKind, options client.ListOptions) []map[string]any {
	o.mu.Lock()
	defer o.mu.Unlock()
	var names []types.NamespacedName
	for name, s := range o.kinds[gk] {
		u := unstructured.Unstructured{Object: s.object}
		set := fields.Set{"metadata.name": name.Name, "metadata.namespace": name.Namespace}
		switch {
		case options.Namespace != "" && name.Namespace != options.Namespace && name.Namespace != "":
		case options.LabelSelector != nil && !options.LabelSelector.Matches(labels.Set(u.GetLabels())):
		case options.FieldSelector != nil && !options.FieldSelector.Matches(set):
		default:
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b types.NamespacedName) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	if options.Limit > 0 && int64(len(names)) > options.Limit {
		names = names[:options.Limit]
	}
	all := make([]map[string]any, len(names))
	for i, name := range names {
		all[i] = o.kinds[gk][name].object
	}
	return all
}

// Create implements client.Writer.
func (c objectsClient) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	options := client.CreateOptions{}
	options.ApplyOptions(opts)
	w, object, err := c.write(ctx, obj, options.FieldManager, options.DryRun)
	if err != nil {
		return err
	}
	created, err := c.objects.create(w, object)
	if err != nil {
		return err
	}
	return fill(obj, w.gvk, created)
}

// Update implements client.Writer.
func (c objectsClient) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	options := client.UpdateOptions{}
	options.ApplyOptions(opts)
	return c.update(ctx, obj, "", options.FieldManager, options.DryRun)
}

func (c objectsClient) update(ctx context.Context, obj client.Object, subresource, manager string, dryRun []string) error {
	w, object, err := c.write(ctx, obj, manager, dryRun)
	if err != nil {
		return err
	}
	w.subresource, w.replaces = subresource, true
	updated, err := c.objects.update(w, func(current map[string]any) (map[string]any, error) {
		object = copyOf(object)
		object["apiVersion"], object["kind"] = current["apiVersion"], current["kind"]
		u := unstructured.Unstructured{Object: object}
		u.SetNamespace(metadataText(current, "namespace"))
		return object, nil
	})
	if err != nil {
		return err
	}
	return fill(obj, w.gvk, updated)
}

// Patch implements client.Writer.
func (c objectsClient) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	options := client.PatchOptions{}
	options.ApplyOptions(opts)
	return c.patch(ctx, obj, patch, "", options.FieldManager, options.DryRun)
}

func (c objectsClient) patch(ctx context.Context, obj client.Object, patch client.Patch, subresource, manager string, dryRun []string) error {
	w, _, err := c.write(ctx, obj, manager, dryRun)
	if err != nil {
		return err
	}
	w.subresource = subresource
	data, err := patch.Data(obj)
	if err != nil {
		return err
	}
	var after map[string]any
	if patch.Type() == types.ApplyPatchType && subresource == "" {
		object, decodeErr := decode(data)
		if decodeErr != nil {
			return decodeErr
		}
		after, err = c.objects.apply(w, object)
	} else {
		kind := patch.Type()
		if kind == types.ApplyPatchType {
			kind = types.MergePatchType // of a subresource: what it applies has no lists to keep
		}
		after, err = c.objects.update(w, func(current map[string]any) (map[string]any, error) {
			return patched(Ref{w.gvk.GroupKind(), w.key}, w.gvk, current, kind, data)
		})
	}
	if err != nil {
		return err
	}
	return fill(obj, w.gvk, after)
}

// Delete implements client.Writer.
func (c objectsClient) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	options := client.DeleteOptions{}
	options.ApplyOptions(opts)
	w, _, err := c.write(ctx, obj, "", options.DryRun)
	if err != nil {
		return err
	}
	return c.objects.delete(w, options.Preconditions)
}

// DeleteAllOf implements client.Writer.
func (c objectsClient) DeleteAllOf(ctx context.Context, obj client.Object, opts ...client.DeleteAllOfOption) error {
	options := client.DeleteAllOfOptions{}
	options.ApplyOptions(opts)
	w, _, err := c.write(ctx, obj, "", options.DryRun)
	if err != nil {
		return err
	}
	if err := c.objects.loadList(ctx, w.gvk, &options.ListOptions); err != nil {
		return err
	}
	for _, object := range c.objects.matching(w.gvk.GroupKind(), options.ListOptions) {
		w.key = types.NamespacedName{Namespace: metadataText(object, "namespace"), Name: metadataText(object, "name")}
		if err := c.objects.delete(w, nil); err != nil {
			return err
		}
	}
	return nil
}

// write returns a write of obj, and its content.
func (c objectsClient) write(ctx context.Context, obj client.Object, manager string, dryRun []string) (write, map[string]any, error) {
	gvk, err := c.GroupVersionKindFor(obj)
	if err != nil {
		return write{}, nil, err
	}
	w := write{gvk: gvk, key: client.ObjectKeyFromObject(obj), manager: manager, operation: metav1.ManagedFieldsOperationUpdate, dryRun: len(dryRun) > 0}
	if err := c.objects.load(ctx, gvk, w.key); err != nil {
		return write{}, nil, err
	}
	content, err := contentOf(obj)
	return w, content, err
}

// contentOf returns the content of an object as decoded JSON.
func contentOf(obj client.Object) (map[string]any, error) {
	if u, ok := obj.(*unstructured.Unstructured); ok {
		return u.Object, nil
	}
	data, err := json.Marshal(obj)
	if err != nil {
		return nil, err
	}
	return decode(data)
}

// fill sets obj to the content of an object.
func fill(obj client.Object, gvk schema.GroupVersionKind, object map[string]any) error {
	content := versioned(gvk, object)
	switch obj := obj.(type) {
	case *unstructured.Unstructured:
		obj.Object = content
		return nil
	case *metav1.PartialObjectMetadata:
		content = map[string]any{"apiVersion": content["apiVersion"], "kind": content["kind"], "metadata": content["metadata"]}
	}
	return convert(content, obj)
}

// versioned returns a copy of an object with the version that was asked for. There is no
// conversion.
func versioned(gvk schema.GroupVersionKind, object map[string]any) map[string]any {
	content := copyOf(object)
	content["apiVersion"], content["kind"] = gvk.GroupVersion().String(), gvk.Kind
	return content
}

func convert(content map[string]any, to any) error {
	data, err := json.Marshal(content)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, to)
}

// Status implements client.Client.
func (c objectsClient) Status() client.SubResourceWriter { return c.SubResource("status") }

// SubResource implements client.Client. Only the subresource status exists.
func (c objectsClient) SubResource(name string) client.SubResourceClient {
	return subresourceClient{c, name}
}

// Scheme implements client.Client.
func (objectsClient) Scheme() *runtime.Scheme { return scheme.Scheme }

// RESTMapper implements client.Client. It knows no kinds: clients of it use names of kinds.
func (objectsClient) RESTMapper() meta.RESTMapper { return meta.NewDefaultRESTMapper(nil) }

// GroupVersionKindFor implements client.Client.
func (c objectsClient) GroupVersionKindFor(obj runtime.Object) (schema.GroupVersionKind, error) {
	return apiutil.GVKForObject(obj, c.Scheme())
}

// listKind returns the kind of the items of a list.
func (c objectsClient) listKind(list client.ObjectList) (schema.GroupVersionKind, error) {
	gvk, err := c.GroupVersionKindFor(list)
	if n := len(gvk.Kind) - len("List"); err == nil && n > 0 && gvk.Kind[n:] == "List" {
		gvk.Kind = gvk.Kind[:n]
	}
	return gvk, err
}

// IsObjectNamespaced implements client.Client.
func (c objectsClient) IsObjectNamespaced(obj runtime.Object) (bool, error) {
	gvk, err := c.GroupVersionKindFor(obj)
	if err != nil {
		return false, err
	}
	c.objects.mu.Lock()
	defer c.objects.mu.Unlock()
	return !c.objects.clusterScoped(gvk.GroupKind()), nil
}
