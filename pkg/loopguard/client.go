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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// maxPatchAttempts is how often a patch is sent again because the object has changed
// meanwhile.
const maxPatchAttempts = 10

// Client returns a client whose writes are remembered as those of the trigger.
// It is c, but for this: a patch of an object that might wake the trigger names
// the revision that it changes, which is the only way to tell whether it made
// the one that it is answered with. For that, the object may be read before.
func (t *Detector) Client(c client.Client) client.Client { return t.ClientIn("", c) }

// ClientIn is Client for another cluster than that of the worker.
func (t *Detector) ClientIn(cluster string, c client.Client) client.Client {
	return &trackingClient{c, t, cluster}
}

type trackingClient struct {
	client.Client
	detector *Detector
	// cluster is as events have it.
	cluster string
}

// Create creates obj, and remembers it.
func (r *trackingClient) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	var o client.CreateOptions
	target, wakes := r.target(obj, o.ApplyOptions(opts).DryRun)
	if target.name == "" {
		return r.Client.Create(ctx, obj, opts...)
	}
	defer r.detector.tracker.begin(target)()
	err := r.Client.Create(ctx, obj, opts...)
	if !wakes {
		return r.recordCauses(ctx, obj, err)
	}
	return r.recordOwn(ctx, target, obj, "", err)
}

// Update updates obj, and remembers it.
func (r *trackingClient) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	var o client.UpdateOptions
	target, wakes := r.target(obj, o.ApplyOptions(opts).DryRun)
	if target.name == "" {
		return r.Client.Update(ctx, obj, opts...)
	}
	defer r.detector.tracker.begin(target)()
	before := obj.GetResourceVersion()
	err := r.Client.Update(ctx, obj, opts...)
	if !wakes || before == "" {
		return r.recordCauses(ctx, obj, err)
	}
	return r.recordOwn(ctx, target, obj, before, err)
}

// Patch patches obj, and remembers it.
func (r *trackingClient) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	var o client.PatchOptions
	target, wakes := r.target(obj, o.ApplyOptions(opts).DryRun)
	if target.name == "" {
		return r.Client.Patch(ctx, obj, patch, opts...)
	}
	defer r.detector.tracker.begin(target)()
	if !wakes {
		return r.recordCauses(ctx, obj, r.Client.Patch(ctx, obj, patch, opts...))
	}
	data, err := patch.Data(obj)
	if err != nil {
		return err
	}
	p := conditionalPatch{trackingClient: r, target: target, obj: obj, kind: patch.Type(), data: data, response: obj}
	p.patch = func(ctx context.Context, patch client.Patch) error { return r.Client.Patch(ctx, obj, patch, opts...) }
	return p.send(ctx)
}

// target returns what obj is, and whether writing it can wake the trigger. It is
// nothing where nothing is written.
func (r *trackingClient) target(obj client.Object, dryRun []string) (target object, wakes bool) {
	gvk, err := r.GroupVersionKindFor(obj)
	if err != nil || len(dryRun) > 0 {
		return object{}, false
	}
	target = object{kind: kind{r.cluster, gvk.Group, gvk.Kind}, key: obj.GetName()}
	if target.key != "" && obj.GetNamespace() != "" {
		target.key = obj.GetNamespace() + "/" + target.key
	}
	r.detector.mu.Lock()
	defer r.detector.mu.Unlock()
	return target, r.detector.kinds[target.kind]
}

// recordCauses remembers what was most likely written.
func (r *trackingClient) recordCauses(ctx context.Context, obj client.Object, err error) error {
	if err == nil && obj.GetResourceVersion() != "" {
		r.detector.tracker.add(r.id(obj), r.detector.causes(ctx))
	}
	return err
}

// recordOwn remembers what a write made of an object whose revision was before.
func (r *trackingClient) recordOwn(ctx context.Context, target object, obj client.Object, before string, err error) error {
	if now := obj.GetResourceVersion(); err == nil && now != "" && now != before {
		r.detector.recordWrite(target, r.id(obj), obj.GetResourceVersion())
		r.detector.tracker.add(r.id(obj), r.detector.causes(ctx))
	}
	return err
}

// id returns the ID of the event that obj became as it is.
func (r *trackingClient) id(obj client.Object) string {
	return event.RevisionID(r.cluster, string(obj.GetUID()), obj.GetResourceVersion())
}

// currentRevision returns the revision of obj as it is now.
func (r *trackingClient) currentRevision(ctx context.Context, obj client.Object) (string, error) {
	gvk, err := r.GroupVersionKindFor(obj)
	if err != nil {
		return "", err
	}
	var now metav1.PartialObjectMetadata
	now.SetGroupVersionKind(gvk)
	if err := r.Get(ctx, client.ObjectKeyFromObject(obj), &now); err != nil {
		return "", err
	}
	return now.ResourceVersion, nil
}

// latestRevision returns the newest revision of at that the trigger knows of.
func (t *Detector) latestRevision(target object) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.revisions[target]
}
