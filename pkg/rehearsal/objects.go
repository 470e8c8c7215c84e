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
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// Ref identifies an object.
type Ref struct {
	schema.GroupKind
	types.NamespacedName
}

// String returns "ConfigMap prod/web".
func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// Change is a change of an object: its states before and after, of which one is nil where it
// was created or deleted. They must not be modified.
type Change struct {
	Ref
	// Type is that of the event: event.Create, event.Update or event.Delete.
	Type     string
	Old, New map[string]any
	// Writer is the field manager of the write; empty for Put and Remove.
	Writer string
}

// Objects is a set of Kubernetes objects that behaves as an API server does for the calls of
// actions: it keeps resourceVersions, UIDs, generations and field managers, checks
// preconditions, and applies patches. It knows no defaults, no validation, and no controllers.
// It is safe for concurrent use. Nothing in it depends on anything but the calls and the
// clock, so that a rehearsal has the same result each time.
type Objects struct {
	clock clock.PassiveClock

	mu       sync.Mutex
	kinds    map[schema.GroupKind]map[types.NamespacedName]*stored
	revision int64
	created  int
	observe  func(Change)
	missed   func(Ref)
	// cluster has further objects, and deleted are those that it has no longer; nil for none.
	cluster client.Reader
	deleted map[Ref]bool
}

// stored is an object, and who owns its fields.
type stored struct {
	object map[string]any
	owners ownership
}

// NewObjects returns an empty set. The times of writes are those of c.
func NewObjects(c clock.PassiveClock) *Objects {
	return &Objects{clock: c, kinds: map[schema.GroupKind]map[types.NamespacedName]*stored{}, observe: func(Change) {}, missed: func(Ref) {}}
}

// Observe has f receive each change, in order, before the write returns. f must not call o.
func (o *Objects) Observe(f func(Change)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.observe = f
}

// ObserveMissed has f receive each object that is read and does not exist. f must not call o.
func (o *Objects) ObserveMissed(f func(Ref)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.missed = f
}

// Put sets an object as it is given, with its status, as a user or a controller. A
// resourceVersion, a UID, a generation and a creation time that it lacks, or that are those
// of the object before, are made; others are kept. The object must not be modified
// afterwards. It returns an error if the object has no kind or no name.
func (o *Objects) Put(object map[string]any) error {
	object = shallow(object)
	u := unstructured.Unstructured{Object: object}
	if u.GetKind() == "" || u.GetAPIVersion() == "" || u.GetName() == "" {
		return fmt.Errorf("an object needs apiVersion, kind and metadata.name, not %q, %q and %q", u.GetAPIVersion(), u.GetKind(), u.GetName())
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	ref := o.ref(u.GroupVersionKind().GroupKind(), u.GetNamespace(), u.GetName())
	u.SetNamespace(ref.Namespace)
	encodeStringData(object)
	before := o.kinds[ref.GroupKind][ref.NamespacedName]
	switch given := u.GetResourceVersion(); {
	case before == nil:
		o.identify(u)
		if given != "" {
			u.SetResourceVersion(given)
		}
		o.store(ref, &stored{object: object})
		o.observe(Change{Ref: ref, Type: event.Create, New: object})
		return nil
	case given != "" && given != revisionOf(before.object):
		if u.GetUID() == "" {
			u.SetUID(types.UID(metadataText(before.object, "uid")))
		}
	case !o.carryOver(before.object, object):
		return nil
	}
	o.store(ref, &stored{object: object, owners: before.owners.written(changedPaths(before.object, object))})
	o.observe(Change{Ref: ref, Type: event.Update, Old: before.object, New: object})
	return nil
}

// Remove removes an object, whatever its finalizers. It returns false if there is none.
func (o *Objects) Remove(gk schema.GroupKind, namespace, name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	ref := o.ref(gk, namespace, name)
	before := o.kinds[gk][ref.NamespacedName]
	if before == nil {
		return false
	}
	o.remove(ref, before, "")
	return true
}

// Get returns an object, which must not be modified, or nil.
func (o *Objects) Get(gk schema.GroupKind, namespace, name string) map[string]any {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s := o.kinds[gk][o.ref(gk, namespace, name).NamespacedName]; s != nil {
		return s.object
	}
	return nil
}

// All returns all objects, by kind, namespace and name. They must not be modified.
func (o *Objects) All() []map[string]any {
	o.mu.Lock()
	defer o.mu.Unlock()
	var refs []Ref
	for gk, objects := range o.kinds {
		for name := range objects {
			refs = append(refs, Ref{gk, name})
		}
	}
	slices.SortFunc(refs, func(a, b Ref) int { return strings.Compare(a.sortKey(), b.sortKey()) })
	all := make([]map[string]any, len(refs))
	for i, r := range refs {
		all[i] = o.kinds[r.GroupKind][r.NamespacedName].object
	}
	return all
}

func (r Ref) sortKey() string {
	return r.Kind + "\x00" + r.Group + "\x00" + r.Namespace + "\x00" + r.Name
}

// ref returns the identity of an object: one of a namespaced kind without a namespace is in
// "default". o.mu is held.
func (o *Objects) ref(gk schema.GroupKind, namespace, name string) Ref {
	switch {
	case o.clusterScoped(gk):
		namespace = ""
	case namespace == "":
		namespace = "default"
	}
	return Ref{gk, types.NamespacedName{Namespace: namespace, Name: name}}
}

// identify gives a new object its UID, revision, generation and creation time. o.mu is held.
func (o *Objects) identify(u unstructured.Unstructured) {
	ownMetadata(u.Object)
	if u.GetUID() == "" {
		o.created++
		u.SetUID(types.UID(fmt.Sprintf("00000000-0000-4000-8000-%012d", o.created)))
	}
	if metadataText(u.Object, "creationTimestamp") == "" {
		u.SetCreationTimestamp(now(o.clock))
	}
	if u.GetGeneration() == 0 && hasGeneration(u.Object) {
		u.SetGeneration(1)
	}
	u.SetResourceVersion(o.nextRevision())
}

func (o *Objects) nextRevision() string {
	o.revision++
	return strconv.FormatInt(o.revision, 10)
}

// carryOver completes the metadata of an object's next state, and reports whether anything
// has changed. o.mu is held.
func (o *Objects) carryOver(before, next map[string]any) (changed bool) {
	b, n := unstructured.Unstructured{Object: before}, unstructured.Unstructured{Object: next}
	ownMetadata(next)
	n.SetUID(b.GetUID())
	n.SetCreationTimestamp(b.GetCreationTimestamp())
	n.SetDeletionTimestamp(b.GetDeletionTimestamp())
	n.SetResourceVersion(b.GetResourceVersion())
	n.SetGeneration(b.GetGeneration())
	if n.GetManagedFields() == nil {
		n.SetManagedFields(b.GetManagedFields())
	}
	if sameContent(before, next) {
		return false
	}
	if hasGeneration(next) && !sameSpec(before, next) {
		n.SetGeneration(b.GetGeneration() + 1)
	}
	n.SetResourceVersion(o.nextRevision())
	return true
}

// store keeps s. o.mu is held.
func (o *Objects) store(r Ref, s *stored) {
	if o.kinds[r.GroupKind] == nil {
		o.kinds[r.GroupKind] = map[types.NamespacedName]*stored{}
	}
	o.kinds[r.GroupKind][r.NamespacedName] = s
}

// remove removes s, whose last state has a revision of its own. o.mu is held.
func (o *Objects) remove(r Ref, s *stored, writer string) {
	delete(o.kinds[r.GroupKind], r.NamespacedName)
	if o.deleted != nil {
		o.deleted[r] = true
	}
	last := unstructured.Unstructured{Object: shallow(s.object)}
	ownMetadata(last.Object)
	last.SetResourceVersion(o.nextRevision())
	o.observe(Change{Ref: r, Type: event.Delete, Old: last.Object, Writer: writer})
}

// resource returns the resource of a kind, for errors.
func resource(gk schema.GroupKind) schema.GroupResource {
	plural, _ := meta.UnsafeGuessKindToResource(gk.WithVersion(""))
	return plural.GroupResource()
}

func notFound(r Ref) error { return apierrors.NewNotFound(resource(r.GroupKind), r.Name) }

// shallow returns a copy of the object's own fields.
func shallow(object map[string]any) map[string]any {
	out := make(map[string]any, len(object)+1)
	for k, v := range object {
		out[k] = v
	}
	return out
}

// ownMetadata gives object, a shallow copy, metadata of its own.
func ownMetadata(object map[string]any) {
	metadata, _ := object["metadata"].(map[string]any)
	object["metadata"] = shallow(metadata)
}

func metadataText(object map[string]any, field string) string {
	metadata, _ := object["metadata"].(map[string]any)
	text, _ := metadata[field].(string)
	return text
}

func revisionOf(object map[string]any) string { return metadataText(object, "resourceVersion") }

// copyOf returns a copy of an object that may be modified.
func copyOf(object map[string]any) map[string]any { return runtime.DeepCopyJSON(object) }

// stateOf returns the object of the set with the name of object; nil if there is none.
func (o *Objects) stateOf(object map[string]any) map[string]any {
	u := unstructured.Unstructured{Object: object}
	return o.Get(u.GroupVersionKind().GroupKind(), u.GetNamespace(), u.GetName())
}

// removeState removes the object with the name of object.
func (o *Objects) removeState(object map[string]any) {
	u := unstructured.Unstructured{Object: object}
	o.Remove(u.GroupVersionKind().GroupKind(), u.GetNamespace(), u.GetName())
}

// named returns object with the namespace that Put gives it.
func (o *Objects) named(object map[string]any) map[string]any {
	o.mu.Lock()
	defer o.mu.Unlock()
	u := unstructured.Unstructured{Object: shallow(object)}
	ownMetadata(u.Object)
	u.SetNamespace(o.ref(u.GroupVersionKind().GroupKind(), u.GetNamespace(), u.GetName()).Namespace)
	return u.Object
}
