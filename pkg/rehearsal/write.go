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
	"errors"
	"fmt"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// write is a request that writes one object.
type write struct {
	gvk schema.GroupVersionKind
	key types.NamespacedName
	// subresource is "" or "status".
	subresource string
	manager     string
	operation   metav1.ManagedFieldsOperationType
	dryRun      bool
	// takesOver is set if it changes who owns fields, which is a revision of its own.
	takesOver bool
	// replaces is set if it replaces the whole object.
	replaces bool
}

// errNameRequired is the error of a request without a name.
var errNameRequired = errors.New("resource name may not be empty")

// begin locks the set for a write, and returns the function that ends it. A dry run leaves no
// trace.
func (o *Objects) begin(w write) (end func()) {
	o.mu.Lock()
	revision, created := o.revision, o.created
	return func() {
		if w.dryRun {
			o.revision, o.created = revision, created
		}
		o.mu.Unlock()
	}
}

// create creates object.
func (o *Objects) create(w write, object map[string]any) (map[string]any, error) {
	defer o.begin(w)()
	u := unstructured.Unstructured{Object: copyOf(object)}
	if u.GetName() == "" && u.GetGenerateName() != "" {
		w.key.Name = u.GetGenerateName() + fmt.Sprintf("%05d", o.created+1)
	}
	if w.key.Name == "" {
		return nil, apierrors.NewInvalid(w.gvk.GroupKind(), "", nil)
	}
	ref := o.ref(w.gvk.GroupKind(), w.key.Namespace, w.key.Name)
	if existing := o.kinds[ref.GroupKind][ref.NamespacedName]; existing != nil {
		err := apierrors.NewAlreadyExists(resource(ref.GroupKind), ref.Name)
		if metadataText(existing.object, "deletionTimestamp") != "" {
			err.ErrStatus.Message = "object is being deleted: " + err.ErrStatus.Message
		}
		return nil, err
	}
	if u.GetResourceVersion() != "" {
		return nil, apierrors.NewBadRequest("resourceVersion should not be set on objects to be created")
	}
	u.SetGroupVersionKind(w.gvk)
	u.SetNamespace(ref.Namespace)
	u.SetName(ref.Name)
	return o.insert(w, ref, u, ownership{}), nil
}

// insert adds a new object. o.mu is held.
func (o *Objects) insert(w write, ref Ref, u unstructured.Unstructured, owners ownership) map[string]any {
	encodeStringData(u.Object)
	if o.hasStatus(w.gvk) {
		delete(u.Object, "status")
	}
	u.SetUID("")
	u.SetGeneration(0)
	u.SetCreationTimestamp(metav1.Time{})
	u.SetManagedFields(nil)
	o.identify(u)
	written(u.Object, w.manager, w.operation, now(o.clock))
	if !w.dryRun {
		o.store(ref, &stored{object: u.Object, owners: owners})
		o.observe(Change{Ref: ref, Type: event.Create, New: u.Object, Writer: w.manager})
	}
	return u.Object
}

// update replaces an object by what next makes of it, a copy of which next may change.
func (o *Objects) update(w write, next func(current map[string]any) (map[string]any, error)) (map[string]any, error) {
	defer o.begin(w)()
	if w.key.Name == "" {
		return nil, errNameRequired
	}
	ref := o.ref(w.gvk.GroupKind(), w.key.Namespace, w.key.Name)
	before := o.kinds[ref.GroupKind][ref.NamespacedName]
	if before == nil {
		o.missed(ref)
		return nil, notFound(ref)
	}
	current := copyOf(before.object)
	current["apiVersion"] = w.gvk.GroupVersion().String()
	after, err := next(current)
	if err != nil {
		return nil, err
	}
	return o.replace(w, ref, before, after, func(changed paths) ownership { return before.owners.written(changed) })
}

// apply applies object with server-side apply, which creates it if it does not exist.
func (o *Objects) apply(w write, object map[string]any) (map[string]any, error) {
	defer o.begin(w)()
	if w.key.Name == "" {
		return nil, errNameRequired
	}
	ref := o.ref(w.gvk.GroupKind(), w.key.Namespace, w.key.Name)
	before := o.kinds[ref.GroupKind][ref.NamespacedName]
	u := unstructured.Unstructured{Object: copyOf(object)}
	uid, revision := u.GetUID(), u.GetResourceVersion()
	for _, field := range []string{"uid", "resourceVersion", "managedFields", "creationTimestamp", "generation"} {
		unstructured.RemoveNestedField(u.Object, "metadata", field)
	}
	u.SetNamespace(ref.Namespace)
	encodeStringData(u.Object)
	w.operation = metav1.ManagedFieldsOperationApply
	if before == nil {
		if uid != "" || revision != "" {
			return nil, conflict(ref, "the object does not exist")
		}
		owners := ownership{}.apply(w.manager, u.Object, nil, nil)
		return o.insert(w, ref, unstructured.Unstructured{Object: copyOf(u.Object)}, owners), nil
	}
	after, err := applied(w.gvk, before.object, before.owners.droppable(w.manager), u.Object)
	if err != nil {
		return nil, err
	}
	if uid != "" {
		unstructuredSet(after, string(uid), "metadata", "uid")
	}
	if revision != "" {
		unstructuredSet(after, revision, "metadata", "resourceVersion")
	}
	w.takesOver = !reflect.DeepEqual(before.owners.applied[w.manager], u.Object)
	return o.replace(w, ref, before, after, func(changed paths) ownership {
		return before.owners.apply(w.manager, u.Object, before.object, changed)
	})
}

// replace checks the preconditions in after, and replaces before by it. o.mu is held.
func (o *Objects) replace(w write, ref Ref, before *stored, after map[string]any, owners func(changed paths) ownership) (map[string]any, error) {
	u := unstructured.Unstructured{Object: after}
	switch uid, current := string(u.GetUID()), metadataText(before.object, "uid"); {
	case uid != "" && uid != current && w.replaces:
		return nil, conflict(ref, fmt.Sprintf("Precondition failed: UID in precondition: %s, UID in object meta: %s", uid, current))
	case uid != "" && uid != current:
		return nil, invalid(ref, fmt.Sprintf("metadata.uid: Invalid value: %q: field is immutable", uid))
	case u.GetResourceVersion() != "" && u.GetResourceVersion() != revisionOf(before.object):
		return nil, conflict(ref, "the object has been modified; please apply your changes to the latest version and try again")
	case u.GetName() != ref.Name || u.GetNamespace() != ref.Namespace:
		return nil, apierrors.NewBadRequest("the name of the object does not match the name on the URL")
	}
	if w.subresource == "status" {
		status := shallow(before.object)
		status["apiVersion"] = after["apiVersion"]
		if status["status"] = after["status"]; after["status"] == nil {
			delete(status, "status")
		}
		after = status
		u.Object = after
	} else if o.hasStatus(w.gvk) {
		if status, ok := before.object["status"]; ok {
			after["status"] = status
		} else {
			delete(after, "status")
		}
	}
	encodeStringData(after)
	changed := o.carryOver(before.object, after)
	if !changed && w.takesOver {
		u.SetResourceVersion(o.nextRevision())
	}
	if w.dryRun {
		return after, nil
	}
	if !changed && !w.takesOver {
		return before.object, nil
	}
	next := &stored{object: after, owners: owners(changedPaths(before.object, after))}
	written(after, w.manager, w.operation, now(o.clock))
	if metadataText(after, "deletionTimestamp") != "" && len(u.GetFinalizers()) == 0 {
		o.remove(ref, next, w.manager)
		return after, nil
	}
	o.store(ref, next)
	o.observe(Change{Ref: ref, Type: event.Update, Old: before.object, New: after, Writer: w.manager})
	return after, nil
}

// delete deletes an object; one with finalizers is only marked.
func (o *Objects) delete(w write, preconditions *metav1.Preconditions) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	ref := o.ref(w.gvk.GroupKind(), w.key.Namespace, w.key.Name)
	before := o.kinds[ref.GroupKind][ref.NamespacedName]
	if before == nil {
		o.missed(ref)
		return notFound(ref)
	}
	if p := preconditions; p != nil {
		if uid := metadataText(before.object, "uid"); p.UID != nil && string(*p.UID) != uid {
			return conflict(ref, fmt.Sprintf("Precondition failed: UID in precondition: %s, UID in object meta: %s", *p.UID, uid))
		}
		if p.ResourceVersion != nil && *p.ResourceVersion != revisionOf(before.object) {
			return conflict(ref, fmt.Sprintf("Precondition failed: ResourceVersion in precondition: %s", *p.ResourceVersion))
		}
	}
	if w.dryRun {
		return nil
	}
	u := unstructured.Unstructured{Object: shallow(before.object)}
	if len(u.GetFinalizers()) == 0 {
		o.remove(ref, before, w.manager)
		return nil
	}
	if u.GetDeletionTimestamp() == nil {
		ownMetadata(u.Object)
		at := now(o.clock)
		u.SetDeletionTimestamp(&at)
		u.SetResourceVersion(o.nextRevision())
		o.store(ref, &stored{object: u.Object, owners: before.owners})
		o.observe(Change{Ref: ref, Type: event.Update, Old: before.object, New: u.Object, Writer: w.manager})
	}
	return nil
}

func invalid(r Ref, reason string) error {
	err := apierrors.NewInvalid(r.GroupKind, r.Name, nil)
	err.ErrStatus.Message += ": " + reason
	return err
}

func conflict(r Ref, reason string) error {
	return apierrors.NewConflict(resource(r.GroupKind), r.Name, errors.New(reason))
}

// unstructuredSet sets a text in an object that has the fields around it.
func unstructuredSet(object map[string]any, text string, path ...string) {
	_ = unstructured.SetNestedField(object, text, path...)
}
