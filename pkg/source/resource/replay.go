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
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/fields"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// Recordings implements source.Replayer: the events of a watch of more objects suffice, and
// events are derived from those of objects.
func (s subscription) Recordings() []string {
	keys := []string{s.key()}
	for _, cluster := range []string{s.cluster, ""} {
		for _, q := range []query{
			{kind: s.kind, namespace: s.namespace, labels: s.labels, field: s.field, cluster: cluster},
			{kind: s.kind, namespace: s.namespace, cluster: cluster},
			{kind: s.kind, cluster: cluster},
		} {
			if key := q.key(); !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// ReplayFields implements source.Replayer.
func (s subscription) ReplayFields() expr.FieldSet {
	if s.derived != nil {
		return expr.All()
	}
	names := []string{"apiVersion", "kind", "metadata"} // of the selectors, and of what a Secret is
	if f, err := fields.ParseSelector(s.field); err == nil {
		for _, r := range f.Requirements() {
			name, _, _ := strings.Cut(r.Field, ".")
			names = append(names, name)
		}
	}
	for _, p := range s.trigger.OnChange {
		names = append(names, p[0])
	}
	return expr.Fields(names...).Union(s.trigger.Old)
}

// Replay implements source.Replayer. An update by which an object is no longer selected is
// its deletion, with the state after it.
func (s subscription) Replay(key string) source.Replay {
	secret := s.kind.GroupKind() == runtimeschema.GroupKind{Kind: "Secret"}
	r := &replay{subscription: s, own: key == s.key(), objects: map[string]fieldState{}, selected: map[string]bool{}}
	r.fields = newFieldTracker([]subscription{s}, secret, nil)
	if r.own {
		return r
	}
	r.selector = s.newSelector()
	if s.derived != nil {
		r.fields.deriveState = s.derived.State
	}
	return r
}

// replay replays the events of a recorded watch for one trigger.
type replay struct {
	subscription
	fields fieldTracker
	// own is true if the trigger's own watch was recorded. Otherwise selector selects objects.
	own      bool
	selector selector
	// objects has the last states of objects, if there are any to track, and selected whether
	// the object was selected, by the ordering key.
	objects  map[string]fieldState
	selected map[string]bool
}

// Next implements source.Replay.
func (r *replay) Next(recorded source.Occurrence) (source.Occurrence, bool) {
	o := recorded
	if !r.own && !r.selectEvent(&o.Event) {
		return o, false
	}
	if r.fields.empty() {
		o.Event.Old, o.Delivery.Unchanged = nil, nil
		return r.derive(o, fieldState{}, fieldState{})
	}
	key := o.Event.OrderingKey()
	before, known := r.objects[key]
	if o.Event.Type == event.Delete {
		delete(r.objects, key)
		if known {
			o.Event.Old = before.decodeOld()
		}
		return r.derive(o, before, fieldState{})
	}
	now := r.fields.observe(before, o.Event.Data)
	r.objects[key] = now
	if known && o.Event.Type == event.Update {
		o.Event.Old, o.Delivery.Unchanged = before.decodeOld(), r.fields.unchanged(before, now)
	}
	return r.derive(o, before, now)
}

// selectEvent makes e the event of a watch that selects fewer objects. It returns false if
// there is none.
func (r *replay) selectEvent(e *event.Event) bool {
	key := e.OrderingKey()
	was, known := r.selected[key]
	matches := r.selector.mismatch(e.Data) == ""
	switch {
	case e.Type == event.Delete:
		delete(r.selected, key)
		return was || !known && matches
	case matches:
		r.selected[key] = true
		if e.Type == event.Update && known && !was {
			e.Type = event.Create
		}
		return true
	}
	r.selected[key] = false
	e.Type = event.Delete
	return was
}

// derive returns the event that the derived source makes of one of an object.
func (r *replay) derive(o source.Occurrence, before, now fieldState) (source.Occurrence, bool) {
	if r.own || r.derived == nil {
		return o, true
	}
	o.Event.Source = r.derived.Type
	if r.derived.Derive == nil {
		return o, true
	}
	if o.Event.Type == event.Delete || o.Event.Type == event.Sync {
		return o, false
	}
	var relevant bool
	o.Event.Data, relevant = r.derived.Derive(before.state, now.state, o.Event.Data)
	return o, relevant
}
