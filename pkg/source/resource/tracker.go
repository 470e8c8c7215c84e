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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// tracker compares the objects that a watch observes with the state in which it observed
// them last. apply and vanish return what an observation changes, without changing it;
// commit changes it, after the event was delivered.
type tracker struct {
	kind    schema.GroupVersionKind
	cluster string // in events
	clock   clock.PassiveClock
	// derived derives the delivered events; nil delivers the events themselves.
	derived *DerivedSource
	// fields extracts the state that later events are compared with.
	fields    fieldTracker
	inventory inventory
	// tombstones holds the objects that were deleted before a restart but above the
	// saved position, by key. All events up to the tombstone's version are done.
	tombstones map[string]version
}

// observation is the way in which an object is observed.
type observation int

const (
	// existing is an object of the list with which a watch starts. It is no event.
	existing observation = iota
	// atPosition is an object of a list at the position of the watch. It is no event;
	// if its version is that of the inventory, its field state becomes known.
	atPosition
	// listed is an object of a list after a gap in the history.
	listed
	// modified is an object that the stream has as added or modified.
	modified
	// deleted is an object that the stream has as deleted, in its last state.
	deleted
)

// delta is what an observation changes. The zero value changes nothing.
type delta struct {
	key string
	// event is the event, without a Type if there is none. delivery has its Writer and
	// Unchanged.
	event    event.Event
	delivery source.Delivery
	// irrelevant is set if the derived source makes no event of event.
	irrelevant bool
	// update is the saved object after the event. Without an event, it is nil if the
	// saved object stays the same.
	update inventoryUpdate
	// replaced is set if the event is the deletion of another object of the same name.
	// The observation then has to be applied again after commit.
	replaced bool

	// object and fields are the new state; object is nil if the state stays the same.
	// removed is set if the object is gone.
	object  metav1.Object
	fields  fieldState
	removed bool
}

func newTracker(o Options, q query, d *DerivedSource, shared []subscription) *tracker {
	secret := q.kind.GroupKind() == schema.GroupKind{Kind: "Secret"}
	t := &tracker{
		kind: q.kind, cluster: q.eventCluster(), clock: o.Clock, derived: d,
		fields: newFieldTracker(shared, secret, o.SecretKey), inventory: newInventory(), tombstones: map[string]version{},
	}
	if d != nil {
		t.fields.deriveState = d.State
	}
	return t
}

// restore adds a saved object.
func (t *tracker) restore(key string, o savedObject) {
	if isTombstone(o) {
		t.tombstones[key] = versionOf(o.resourceVersion)
		return
	}
	t.inventory.put(key, o.uid, o.resourceVersion)
	if !t.fields.empty() {
		t.inventory.fieldStates[key] = t.fields.unmarshal(o.state)
	}
}

// complete reports whether the field states of all objects are known.
func (t *tracker) complete() bool {
	if t.fields.empty() {
		return true
	}
	for key := range t.inventory.entries {
		if !t.fields.complete(t.inventory.fieldStates[key]) {
			return false
		}
	}
	return true
}

// dropTombstones forgets the tombstones, before a list that supersedes them.
func (t *tracker) dropTombstones() { clear(t.tombstones) }

// size returns the number of objects.
func (t *tracker) size() int { return len(t.inventory.entries) }

// has reports whether there is an object at key.
func (t *tracker) has(key string) bool {
	_, ok := t.inventory.entries[key]
	return ok
}

// keys returns the keys of all objects.
func (t *tracker) keys() map[string]bool {
	keys := make(map[string]bool, len(t.inventory.entries))
	for key := range t.inventory.entries {
		keys[key] = true
	}
	return keys
}

// apply returns what an observed object changes. An object that was observed in the same
// or a newer version is no event. apply removes the managed fields from o.
func (t *tracker) apply(how observation, o metav1.Object) delta {
	key, v := keyOf(o.GetNamespace(), o.GetName()), versionOf(o.GetResourceVersion())
	known, isKnown := t.inventory.entries[key]
	id, _ := identify(string(o.GetUID()))
	same := isKnown && known.identity == id
	switch {
	case how == atPosition && (!same || known.version != v):
		return delta{} // the stream will have it
	case how >= modified && (isKnown && v.before(known.version) || t.isDone(key, v)):
		return delta{}
	case how == deleted && !same:
		return delta{}
	case how == deleted:
		return t.deletion(key, v, o)
	case isKnown && !same:
		d := t.vanish(key)
		d.replaced = true
		return d
	case how == existing, same && known.version == v:
		return t.recording(how, key, o)
	}
	return t.change(key, o, same)
}

// isDone reports whether all events of the object at key up to v were done before a
// restart, after which it was deleted.
func (t *tracker) isDone(key string, v version) bool {
	deleted := t.tombstones[key]
	return deleted != 0 && !deleted.before(v)
}

// vanish returns what changes because the object at key is no longer there. Its last
// state is unknown.
func (t *tracker) vanish(key string) delta {
	ev := newVanishedEvent(t.kind, t.cluster, key, t.inventory.uid(key), t.inventory.entries[key].version, t.clock.Now())
	ev.Old = t.inventory.fieldStates[key].decodeOld()
	d := delta{key: key, event: ev, removed: true}
	t.derive(&d, fieldState{})
	return d
}

// deletion returns the delta of an object that was deleted at v.
func (t *tracker) deletion(key string, v version, o metav1.Object) delta {
	if v&hashed != 0 {
		v = 0
	}
	ev, _ := newEvent(event.Delete, t.cluster, o.(*unstructured.Unstructured), t.clock.Now())
	ev.Old = t.inventory.fieldStates[key].decodeOld()
	d := delta{key: key, event: ev, update: inventoryUpdate{deletedAt: v}, removed: true}
	t.derive(&d, fieldState{})
	return d
}

// recording returns the delta of an object that is no event.
func (t *tracker) recording(how observation, key string, o metav1.Object) delta {
	d := delta{key: key, object: o}
	before := t.inventory.fieldStates[key]
	if !t.fields.empty() {
		d.fields = t.fields.observe(before, eventData(o))
	}
	if how == existing || how == atPosition && !t.fields.complete(before) {
		d.update.object = t.newSavedObject(o, d.fields)
	}
	return d
}

// change returns the delta of an object that was created or, if it was observed before,
// updated.
func (t *tracker) change(key string, o metav1.Object, observed bool) delta {
	kind := event.Create
	if observed {
		kind = event.Update
	}
	d := delta{key: key, object: o}
	d.event, d.delivery.Writer = newEvent(kind, t.cluster, o.(*unstructured.Unstructured), t.clock.Now())
	before := t.inventory.fieldStates[key]
	d.fields = t.fields.observe(before, d.event.Data)
	if observed {
		d.event.Old, d.delivery.Unchanged = before.decodeOld(), t.fields.unchanged(before, d.fields)
	}
	d.update.object = t.newSavedObject(o, d.fields)
	t.derive(&d, before)
	return d
}

// newSavedObject returns the saved state of o with its field state.
func (t *tracker) newSavedObject(o metav1.Object, s fieldState) *savedObject {
	return &savedObject{string(o.GetUID()), o.GetResourceVersion(), t.fields.marshal(s)}
}

// derive replaces the event of d by the one that the derived source makes of it. before
// is the field state before the event.
func (t *tracker) derive(d *delta, before fieldState) {
	if t.derived == nil {
		return
	}
	d.event.Source = t.derived.Type
	if t.derived.Derive == nil {
		return
	}
	if d.event.Type == event.Delete {
		d.irrelevant = true
		return
	}
	data, relevant := t.derived.Derive(before.state, d.fields.state, d.event.Data)
	d.event.Data, d.irrelevant = data, !relevant
}

// commit sets the new state of the object of d.
func (t *tracker) commit(d *delta) {
	switch {
	case d.removed:
		t.inventory.remove(d.key)
	case d.object != nil:
		t.inventory.put(d.key, string(d.object.GetUID()), d.object.GetResourceVersion())
		if !t.fields.empty() {
			t.inventory.fieldStates[d.key] = d.fields
		}
	}
}
