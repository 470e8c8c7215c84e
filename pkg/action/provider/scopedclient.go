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
	"encoding/json"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// scopedClient is the client of the calls of a Scope. It adds the UID of the event's object
// as a precondition to requests for that object, and tells the scope what was changed.
//
// To know whether a write changed an object, it compares the resourceVersion in the response
// with that of an earlier call, else with one that it reads. That in the event may be out of
// date. Where it may not read, each write counts as a change.
type scopedClient struct {
	client.Client
	scope   *Scope
	cluster string
	// unreadable has the kinds that may not be read, and "list " with those that may not be
	// listed.
	unreadable *sync.Map
}

// target identifies obj.
func (c *scopedClient) target(obj client.Object) (target, error) {
	gvk, err := c.GroupVersionKindFor(obj)
	if err != nil {
		return target{}, err
	}
	return target{c.cluster, gvk.GroupKind(), client.ObjectKeyFromObject(obj)}, nil
}

// Get reads an object, and returns a GoneError if it should be the event's object and is not.
func (c *scopedClient) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	err := c.Client.Get(ctx, key, obj, opts...)
	t, kindErr := c.target(obj)
	if kindErr != nil {
		return kindErr
	}
	t.key = key
	guarded := c.scope.guardsReads(t)
	switch {
	case apierrors.IsNotFound(err) && guarded:
		return c.gone("")
	case err != nil:
		return err
	case guarded && obj.GetUID() != c.scope.object.uid:
		return c.gone(obj.GetUID())
	}
	c.scope.observe(t, obj.GetResourceVersion())
	return nil
}

// Create creates obj.
func (c *scopedClient) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	err := c.Client.Create(ctx, obj, opts...)
	if err == nil || apierrors.IsAlreadyExists(err) {
		c.scope.acted(err == nil)
	}
	return err
}

// Update updates obj.
func (c *scopedClient) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	w, err := c.begin(ctx, obj)
	if err != nil {
		return err
	}
	if w.guarded {
		obj.SetUID(c.scope.object.uid)
	}
	return w.end(ctx, obj, c.Client.Update(ctx, obj, opts...))
}

// Patch patches obj. Server-side apply creates an object that was deleted.
func (c *scopedClient) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	w, err := c.begin(ctx, obj)
	if err != nil {
		return err
	}
	w.guarded = w.guarded && !(patch.Type() == types.ApplyPatchType && c.scope.object.deleted)
	if patch, err = w.condition(obj, patch); err != nil {
		return err
	}
	return w.end(ctx, obj, c.Client.Patch(ctx, obj, patch, opts...))
}

// Delete deletes obj. An object that was replaced counts as not found.
func (c *scopedClient) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	t, err := c.target(obj)
	if err != nil {
		return err
	}
	guarded := c.scope.guards(t)
	if guarded {
		opts = append(opts, client.Preconditions{UID: &c.scope.object.uid})
	}
	err = c.Client.Delete(ctx, obj, opts...)
	switch {
	case err == nil:
		c.scope.acted(true)
		return nil
	case guarded:
		err = c.explain(ctx, obj, err)
	}
	if apierrors.IsNotFound(err) {
		c.scope.acted(false)
	}
	return err
}

// DeleteAllOf deletes objects.
func (c *scopedClient) DeleteAllOf(ctx context.Context, obj client.Object, opts ...client.DeleteAllOfOption) error {
	selected, err := c.selectsAny(ctx, obj, opts)
	if err != nil {
		return err
	}
	err = c.Client.DeleteAllOf(ctx, obj, opts...)
	if err == nil {
		c.scope.acted(selected)
	}
	return err
}

// selectsAny reports whether opts select any object of the kind of obj. It returns true if
// the identity may not list them.
func (c *scopedClient) selectsAny(ctx context.Context, obj client.Object, opts []client.DeleteAllOfOption) (bool, error) {
	gvk, err := c.GroupVersionKindFor(obj)
	if err != nil {
		return false, err
	}
	unlistable := "list " + gvk.GroupKind().String()
	if _, ok := c.unreadable.Load(unlistable); ok {
		return true, nil
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(gvk)
	selection := (&client.DeleteAllOfOptions{}).ApplyOptions(opts).ListOptions
	err = c.List(ctx, list, &selection, client.Limit(1))
	if apierrors.IsForbidden(err) {
		c.unreadable.Store(unlistable, true)
		return true, nil
	}
	return len(list.Items) > 0, err
}

// Status returns the client of the subresource "status".
func (c *scopedClient) Status() client.SubResourceWriter { return c.SubResource("status") }

// SubResource returns a client with the same preconditions for patches.
func (c *scopedClient) SubResource(name string) client.SubResourceClient {
	return scopedSubresource{c.Client.SubResource(name), c}
}

type scopedSubresource struct {
	client.SubResourceClient
	parent *scopedClient
}

// Patch patches the subresource of obj.
func (s scopedSubresource) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	w, err := s.parent.begin(ctx, obj)
	if err != nil {
		return err
	}
	if patch, err = w.condition(obj, patch); err != nil {
		return err
	}
	return w.end(ctx, obj, s.SubResourceClient.Patch(ctx, obj, patch, opts...))
}

// write is a write of an object.
type write struct {
	client *scopedClient
	target target
	// guarded is set if the object must be the event's.
	guarded bool
	// before is the resourceVersion before the write; empty if it is unknown.
	before string
}

func (c *scopedClient) begin(ctx context.Context, obj client.Object) (write, error) {
	t, err := c.target(obj)
	if err != nil {
		return write{}, err
	}
	w := write{client: c, target: t, guarded: c.scope.guards(t), before: c.scope.revision(t)}
	if w.before == "" {
		w.before = c.currentRevision(ctx, t.kind, obj)
	}
	return w, nil
}

// currentRevision returns the resourceVersion of obj, or "" if it cannot be read.
func (c *scopedClient) currentRevision(ctx context.Context, kind schema.GroupKind, obj client.Object) string {
	if _, ok := c.unreadable.Load(kind); ok {
		return ""
	}
	now, err := c.metadata(ctx, obj)
	if apierrors.IsForbidden(err) {
		c.unreadable.Store(kind, true)
	}
	if err != nil {
		return ""
	}
	return now.ResourceVersion
}

// metadata reads the metadata of obj.
func (c *scopedClient) metadata(ctx context.Context, obj client.Object) (*metav1.PartialObjectMetadata, error) {
	gvk, err := c.GroupVersionKindFor(obj)
	if err != nil {
		return nil, err
	}
	now := &metav1.PartialObjectMetadata{}
	now.SetGroupVersionKind(gvk)
	return now, c.Client.Get(ctx, client.ObjectKeyFromObject(obj), now)
}

// condition returns patch with the UID of the event's object as a precondition, if it is
// for that object.
func (w write) condition(obj client.Object, patch client.Patch) (client.Patch, error) {
	if !w.guarded {
		return patch, nil
	}
	data, err := patch.Data(obj)
	if err != nil {
		return nil, err
	}
	if data, err = withUID(patch.Type(), data, w.client.scope.object.uid); err != nil {
		return nil, err
	}
	return client.RawPatch(patch.Type(), data), nil
}

// end notes the result of the write, and explains its error.
func (w write) end(ctx context.Context, response client.Object, err error) error {
	if err == nil {
		w.client.scope.wrote(w.target, w.before, response.GetResourceVersion())
		return nil
	}
	if w.guarded {
		return w.client.explain(ctx, response, err)
	}
	return err
}

// explain returns a GoneError instead of the API server's refusal of a request for the
// event's object, if that is gone.
func (c *scopedClient) explain(ctx context.Context, obj client.Object, refused error) error {
	if !apierrors.IsNotFound(refused) && !apierrors.IsConflict(refused) && !apierrors.IsInvalid(refused) {
		return refused
	}
	now, err := c.metadata(ctx, obj)
	switch {
	case apierrors.IsNotFound(err):
		return c.gone("")
	case err == nil && now.UID != c.scope.object.uid:
		return c.gone(now.UID)
	}
	return refused
}

// gone returns the error that the event's object is gone. now is the UID of the object that
// has its name.
func (c *scopedClient) gone(now types.UID) error {
	if now != "" {
		c.scope.foundReplaced()
	}
	o := c.scope.object
	return &GoneError{Kind: o.kind.Kind, Object: o.key, UID: o.uid, Now: now}
}

// withUID adds a UID to a patch: the API server refuses to patch another object.
func withUID(kind types.PatchType, data []byte, uid types.UID) ([]byte, error) {
	if kind == types.JSONPatchType {
		var operations []json.RawMessage
		if err := json.Unmarshal(data, &operations); err != nil {
			return nil, fmt.Errorf("read patch: %w", err)
		}
		test, err := json.Marshal(map[string]string{"op": "test", "path": "/metadata/uid", "value": string(uid)})
		if err != nil {
			return nil, err
		}
		return json.Marshal(append([]json.RawMessage{test}, operations...))
	}
	patch, err := rawFields(data)
	if err != nil {
		return nil, fmt.Errorf("read patch: %w", err)
	}
	metadata, err := rawFields(patch["metadata"])
	if err != nil {
		return nil, fmt.Errorf("read metadata of patch: %w", err)
	}
	if metadata["uid"], err = json.Marshal(uid); err != nil {
		return nil, err
	}
	if patch["metadata"], err = json.Marshal(metadata); err != nil {
		return nil, err
	}
	return json.Marshal(patch)
}

// rawFields returns the fields of a JSON object, which may be absent or null. Their values
// keep the digits that were written.
func rawFields(data json.RawMessage) (map[string]json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	if len(data) == 0 {
		return fields, nil
	}
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	if fields == nil {
		fields = map[string]json.RawMessage{}
	}
	return fields, nil
}
