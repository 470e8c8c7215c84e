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

package resource

import (
	"context"
	"fmt"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// reloader reads the data of one event again, with the identity of its watch.
type reloader struct {
	watcher   *watcher
	eventType string
	// namespace, name, uid and resourceVersion are those of the object in the event.
	namespace, name, uid, resourceVersion string
	// before and now are the states of the object for a derived source.
	before, now []byte
}

// setReload sets the Reload of a delivery, unless the data of its event only identifies
// the object. before and now are the states for a derived source.
func (w *watcher) setReload(d *source.Delivery, ev event.Event, before, now []byte) {
	o := unstructured.Unstructured{Object: ev.Data}
	if o.GetResourceVersion() == "" {
		return
	}
	r := reloader{
		watcher: w, eventType: ev.Type, namespace: o.GetNamespace(), name: o.GetName(),
		uid: string(o.GetUID()), resourceVersion: o.GetResourceVersion(), before: before, now: now,
	}
	d.Reload = r.reload
}

// reload implements source.Delivery.Reload. Data of a create, update or sync event is the
// state at the event's resourceVersion or, if the API server no longer has it, the latest
// state. Data of a delete event is the state before the deletion, or only the fields that
// identify the object.
func (r *reloader) reload(ctx context.Context) (data map[string]any, latest bool, err error) {
	revision := r.revision()
	if revision == "" {
		return r.identity(), true, nil
	}
	o, err := r.read(ctx, revision)
	switch {
	case r.eventType == event.Delete && (isHistoryGone(err) || err == nil && o == nil):
		return r.identity(), true, nil
	case isHistoryGone(err), err == nil && o == nil:
		o, err = r.read(ctx, "")
	}
	switch {
	case err != nil:
		return nil, false, fmt.Errorf("list %s: %w", r.watcher, err)
	case o == nil:
		return nil, false, fmt.Errorf("%s: %w", keyOf(r.namespace, r.name), source.ErrGone)
	}
	if r.eventType == event.Delete {
		o.SetResourceVersion(r.resourceVersion)
	}
	return r.derive(eventData(o)), o.GetResourceVersion() != r.resourceVersion, nil
}

// revision returns the resourceVersion of the state to read; empty if it is unknown.
// The resourceVersion of a delete event is that of the deletion.
func (r *reloader) revision() string {
	if r.eventType != event.Delete {
		return r.resourceVersion
	}
	v, err := strconv.ParseUint(r.resourceVersion, 10, 64)
	if err != nil {
		return ""
	}
	return strconv.FormatUint(v-1, 10)
}

// read returns the object at resourceVersion, or its latest state if that is empty. It
// returns nil if there was none then, or one with another UID.
func (r *reloader) read(ctx context.Context, resourceVersion string) (*unstructured.Unstructured, error) {
	opts := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, r.name).String()}
	if resourceVersion != "" {
		opts.ResourceVersion, opts.ResourceVersionMatch = resourceVersion, metav1.ResourceVersionMatchExact
	}
	objects, _, err := r.watcher.objectsIn(ctx, r.namespace, opts)
	if apierrors.IsNotFound(err) {
		return nil, nil // the kind was removed
	}
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		if string(o.GetUID()) == r.uid {
			return r.watcher.object(o)
		}
	}
	return nil, nil
}

// identity returns the data of a delete event whose last state is unknown.
func (r *reloader) identity() map[string]any {
	return newVanishedEvent(r.watcher.kind, "", keyOf(r.namespace, r.name), r.uid, 0, r.watcher.Clock.Now()).Data
}

// derive returns the data of the event of the derived source, if there is one.
func (r *reloader) derive(object map[string]any) map[string]any {
	derived := r.watcher.tracker.derived
	if derived == nil || derived.Derive == nil || r.eventType == event.Delete {
		return object
	}
	data, relevant := derived.Derive(r.before, r.now, object)
	if !relevant { // a later state that no longer differs
		return object
	}
	return data
}
