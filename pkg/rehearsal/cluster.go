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
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/redact"
)

// ReadFrom has objects that are not in the set, and were not deleted from it, read from a
// cluster, which is never written to.
func (o *Objects) ReadFrom(cluster client.Reader) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cluster, o.deleted = cluster, map[Ref]bool{}
}

// load reads an object from the cluster unless the set knows it.
func (o *Objects) load(ctx context.Context, gvk schema.GroupVersionKind, key types.NamespacedName) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	ref := o.ref(gvk.GroupKind(), key.Namespace, key.Name)
	if o.cluster == nil || key.Name == "" || o.deleted[ref] || o.kinds[ref.GroupKind][ref.NamespacedName] != nil {
		return nil
	}
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	err := o.cluster.Get(ctx, ref.NamespacedName, u)
	if err == nil {
		o.store(ref, &stored{object: u.Object})
	}
	if apierrors.IsNotFound(err) {
		return nil // as the set says
	}
	return err
}

// loadList reads the objects of a list from the cluster.
func (o *Objects) loadList(ctx context.Context, gvk schema.GroupVersionKind, options *client.ListOptions) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cluster == nil {
		return nil
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(gvk)
	if err := o.cluster.List(ctx, list, options); err != nil {
		return err
	}
	for _, item := range list.Items {
		ref := o.ref(gvk.GroupKind(), item.GetNamespace(), item.GetName())
		if !o.deleted[ref] && o.kinds[ref.GroupKind][ref.NamespacedName] == nil {
			o.store(ref, &stored{object: item.Object})
		}
	}
	return nil
}

// Write is an object before and after a write that an API server has tried, without values of
// Secrets. Before is nil if the object does not exist, After if it is deleted.
type Write struct {
	Object string         `json:"object"`
	Before map[string]any `json:"before,omitempty"`
	After  map[string]any `json:"after,omitempty"`
}

// dryRun is a client that sends writes with dryRun=All, and records what they change.
type dryRun struct {
	client.Client
	record func(Write)
}

func newDryRun(c client.Client, record func(Write)) client.Client {
	return dryRun{client.NewDryRunClient(c), record}
}

// before returns the state of obj before a write; nil if it cannot be read.
func (d dryRun) before(ctx context.Context, obj client.Object) map[string]any {
	u := &unstructured.Unstructured{}
	gvk, err := d.GroupVersionKindFor(obj)
	if err != nil {
		return nil
	}
	u.SetGroupVersionKind(gvk)
	if err := d.Get(ctx, client.ObjectKeyFromObject(obj), u); err != nil {
		return nil
	}
	return u.Object
}

// end records a write that has succeeded.
func (d dryRun) end(obj client.Object, before, after map[string]any, err error) error {
	if err == nil {
		gvk, _ := d.GroupVersionKindFor(obj)
		ref := Ref{gvk.GroupKind(), client.ObjectKeyFromObject(obj)}
		secrets := redact.New(before, after)
		d.record(Write{ref.String(), visible(secrets, before), visible(secrets, after)})
	}
	return err
}

// visible returns an object as it is shown.
func visible(secrets *redact.Values, object map[string]any) map[string]any {
	if object == nil {
		return nil
	}
	object = runtime.DeepCopyJSON(object)
	unstructured.RemoveNestedField(object, "metadata", "managedFields")
	return secrets.Public(object)
}

func content(obj client.Object) map[string]any {
	fields, err := contentOf(obj)
	if err != nil {
		return nil
	}
	return fields
}

// Create implements client.Writer.
func (d dryRun) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	err := d.Client.Create(ctx, obj, opts...)
	return d.end(obj, nil, content(obj), err)
}

// Update implements client.Writer.
func (d dryRun) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	before := d.before(ctx, obj)
	err := d.Client.Update(ctx, obj, opts...)
	return d.end(obj, before, content(obj), err)
}

// Patch implements client.Writer.
func (d dryRun) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	before := d.before(ctx, obj)
	err := d.Client.Patch(ctx, obj, patch, opts...)
	return d.end(obj, before, content(obj), err)
}

// Delete implements client.Writer.
func (d dryRun) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	before := d.before(ctx, obj)
	err := d.Client.Delete(ctx, obj, opts...)
	return d.end(obj, before, nil, err)
}

// Status implements client.Client.
func (d dryRun) Status() client.SubResourceWriter { return d.SubResource("status") }

// SubResource implements client.Client.
func (d dryRun) SubResource(name string) client.SubResourceClient {
	return dryRunSubresource{d.Client.SubResource(name), d}
}

type dryRunSubresource struct {
	client.SubResourceClient
	parent dryRun
}

// Patch implements client.SubResourceWriter.
func (s dryRunSubresource) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	before := s.parent.before(ctx, obj)
	err := s.SubResourceClient.Patch(ctx, obj, patch, opts...)
	return s.parent.end(obj, before, content(obj), err)
}
