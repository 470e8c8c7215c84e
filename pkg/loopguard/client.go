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

package loopguard

import (
	"context"
	"maps"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// maxPatchAttempts is the maximum number of conditional attempts of a patch whose
// object changes concurrently.
const maxPatchAttempts = 10

// Client returns a client that writes as the trigger's field manager and records
// its writes as those of the trigger. It behaves as c, with one exception: a patch
// of an object that may wake the trigger is sent with a precondition on the object's
// revision, because only then it is certain that the revision in the response was
// made by the patch. It may read the object for that.
func (d *Detector) Client(c client.Client) client.Client { return d.ClientIn("", c) }

// ClientIn is Client for a joined cluster.
func (d *Detector) ClientIn(cluster string, c client.Client) client.Client {
	return &trackingClient{c, d, cluster, client.FieldOwner(FieldManager(d.trigger))}
}

type trackingClient struct {
	client.Client
	detector *Detector
	cluster  string
	owner    client.FieldOwner
}

// Create creates obj, which carries its causes as an annotation, and records the write.
func (c *trackingClient) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	opts = append([]client.CreateOption{c.owner}, opts...)
	var o client.CreateOptions
	target, _ := c.target(obj, o.ApplyOptions(opts).DryRun)
	if target.name == "" {
		return c.Client.Create(ctx, obj, opts...)
	}
	c.annotate(ctx, obj)
	defer c.detector.tracker.begin(target)()
	return c.recordCreated(ctx, target, obj, c.Client.Create(ctx, obj, opts...))
}

// Delete deletes obj. The event is not the trigger's own, but may lead back to it.
func (c *trackingClient) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	c.recordReach(obj)
	return c.Client.Delete(ctx, obj, opts...)
}

// DeleteAllOf deletes objects of the kind of obj as Delete does.
func (c *trackingClient) DeleteAllOf(ctx context.Context, obj client.Object, opts ...client.DeleteAllOfOption) error {
	c.recordReach(obj)
	return c.Client.DeleteAllOf(ctx, obj, opts...)
}

// Update updates obj and records the write.
func (c *trackingClient) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	opts = append([]client.UpdateOption{c.owner}, opts...)
	var o client.UpdateOptions
	target, mayWake := c.target(obj, o.ApplyOptions(opts).DryRun)
	if target.name == "" {
		return c.Client.Update(ctx, obj, opts...)
	}
	defer c.detector.tracker.begin(target)()
	before := obj.GetResourceVersion()
	err := c.Client.Update(ctx, obj, opts...)
	if !mayWake || before == "" {
		return c.recordCauses(ctx, obj, err)
	}
	return c.recordOwn(ctx, target, obj, before, err)
}

// Patch patches obj and records the write. If the event of the action has causes, an object
// that server-side apply creates carries them, as one of Create does: whether there is one
// costs a request.
func (c *trackingClient) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	opts = append([]client.PatchOption{c.owner}, opts...)
	var o client.PatchOptions
	target, mayWake := c.target(obj, o.ApplyOptions(opts).DryRun)
	if target.name == "" {
		return c.Client.Patch(ctx, obj, patch, opts...)
	}
	defer c.detector.tracker.begin(target)()
	if patch.Type() == types.ApplyPatchType && c.detector.traced(ctx) {
		if _, err := c.currentRevision(ctx, obj); apierrors.IsNotFound(err) {
			c.annotate(ctx, obj)
		}
	}
	if !mayWake {
		return c.recordCauses(ctx, obj, c.Client.Patch(ctx, obj, patch, opts...))
	}
	data, err := patch.Data(obj)
	if err != nil {
		return err
	}
	p := conditionalPatch{trackingClient: c, target: target, obj: obj, kind: patch.Type(), data: data, response: obj}
	p.patch = func(ctx context.Context, patch client.Patch) error { return c.Client.Patch(ctx, obj, patch, opts...) }
	return p.send(ctx)
}

// target returns the identity of obj, and whether writing it may wake the
// trigger. It returns the zero object for a dry run.
func (c *trackingClient) target(obj client.Object, dryRun []string) (target object, mayWake bool) {
	gvk, err := c.GroupVersionKindFor(obj)
	if err != nil || len(dryRun) > 0 {
		return object{}, false
	}
	target = object{kind: kind{c.cluster, gvk.Kind}, key: obj.GetName()}
	if target.key != "" && obj.GetNamespace() != "" {
		target.key = obj.GetNamespace() + "/" + target.key
	}
	c.detector.mu.Lock()
	defer c.detector.mu.Unlock()
	c.detector.reach.addWrite(gvk.GroupKind())
	return target, c.detector.kinds[target.kind]
}

// recordReach records that the trigger writes objects of the kind of obj.
func (c *trackingClient) recordReach(obj client.Object) {
	if gvk, err := c.GroupVersionKindFor(obj); err == nil {
		c.detector.mu.Lock()
		defer c.detector.mu.Unlock()
		c.detector.reach.addWrite(gvk.GroupKind())
	}
}

// annotate adds the causes of a write with ctx to obj, which the write creates.
func (c *trackingClient) annotate(ctx context.Context, obj client.Object) {
	annotations := maps.Clone(obj.GetAnnotations())
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[event.CausesAnnotation] = c.detector.causes(ctx).String()
	obj.SetAnnotations(annotations)
}

// recordCauses records the causes of the revision in the response, which the
// write probably made, and of the object, if the write created it.
func (c *trackingClient) recordCauses(ctx context.Context, obj client.Object, err error) error {
	if err == nil && obj.GetResourceVersion() != "" {
		c.detector.tracker.add(c.id(obj), c.detector.causes(ctx))
		if c.created(obj) {
			c.detector.tracker.addCreated(c.cluster, string(obj.GetUID()), c.detector.causes(ctx))
		}
	}
	return err
}

// created reports whether the trigger has created obj and nobody else has written it.
func (c *trackingClient) created(obj client.Object) bool {
	fields := obj.GetManagedFields()
	return len(fields) == 1 && fields[0].Manager == string(c.owner) && fields[0].Time != nil &&
		fields[0].Time.Equal(ptr.To(obj.GetCreationTimestamp()))
}

// recordOwn records the revision in the response as the trigger's own, if it
// differs from the revision before.
func (c *trackingClient) recordOwn(ctx context.Context, target object, obj client.Object, before string, err error) error {
	if now := obj.GetResourceVersion(); err == nil && now != "" && now != before {
		c.detector.recordWrite(target, c.id(obj), obj.GetResourceVersion())
		c.detector.tracker.add(c.id(obj), c.detector.causes(ctx))
	}
	return err
}

// recordCreated records the object in the response as made by the trigger.
func (c *trackingClient) recordCreated(ctx context.Context, target object, obj client.Object, err error) error {
	if err == nil && obj.GetUID() != "" {
		c.detector.tracker.addCreated(c.cluster, string(obj.GetUID()), c.detector.causes(ctx))
	}
	return c.recordOwn(ctx, target, obj, "", err)
}

// id returns the ID of the event for obj's revision.
func (c *trackingClient) id(obj client.Object) string {
	return event.RevisionID(c.cluster, string(obj.GetUID()), obj.GetResourceVersion())
}

// currentRevision reads obj's current revision from the API server.
func (c *trackingClient) currentRevision(ctx context.Context, obj client.Object) (string, error) {
	gvk, err := c.GroupVersionKindFor(obj)
	if err != nil {
		return "", err
	}
	var now metav1.PartialObjectMetadata
	now.SetGroupVersionKind(gvk)
	if err := c.Get(ctx, client.ObjectKeyFromObject(obj), &now); err != nil {
		return "", err
	}
	return now.ResourceVersion, nil
}

// latestRevision returns the newest revision of target that the detector has
// seen, or "".
func (d *Detector) latestRevision(target object) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.revisions[target]
}
