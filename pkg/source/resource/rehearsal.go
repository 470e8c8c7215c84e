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
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// RehearseObjects implements source.ObjectRehearser. The objects are those of the worker's
// own cluster.
func (s subscription) RehearseObjects(c clock.PassiveClock) source.ObjectFeed {
	q := s.query
	q.cluster = ""
	t := newTracker(Options{}, q, s.derived, []subscription{s})
	t.clock = c
	return &feed{subscription: s, tracker: t, selector: s.newSelector()}
}

// feed is the watch of one trigger without an API server.
type feed struct {
	subscription
	tracker  *tracker
	selector selector
}

// Add implements source.ObjectFeed.
func (f *feed) Add(object map[string]any) []source.Occurrence {
	if f.Mismatch(object) != "" {
		return nil
	}
	o := f.object(object)
	d := f.tracker.apply(existing, o)
	f.tracker.commit(&d)
	if !slices.Contains(f.events, event.Sync) {
		return nil
	}
	ev, writer := newEvent(event.Sync, "", f.object(object), f.tracker.clock.Now())
	if f.derived != nil {
		ev.Source = f.derived.Type
	}
	return []source.Occurrence{{Event: ev, Delivery: source.Delivery{Writer: writer}}}
}

// Change implements source.ObjectFeed.
func (f *feed) Change(before, after map[string]any) []source.Occurrence {
	if after != nil && f.Mismatch(after) == "" {
		return f.observe(modified, f.object(after))
	}
	if before == nil || f.Mismatch(before) != "" {
		return nil
	}
	last := f.object(before)
	if after != nil { // it is no longer selected
		last.SetResourceVersion(f.object(after).GetResourceVersion())
	}
	return f.observe(deleted, last)
}

// observe returns the events of an observation.
func (f *feed) observe(how observation, o *unstructured.Unstructured) []source.Occurrence {
	var out []source.Occurrence
	for {
		d := f.tracker.apply(how, o)
		if d.event.Type != "" && !d.irrelevant {
			out = append(out, source.Occurrence{Event: d.event, Delivery: d.delivery})
		}
		f.tracker.commit(&d)
		if !d.replaced {
			return out
		}
	}
}

// object returns a copy of an object, which events may share.
func (f *feed) object(object map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(object)}
	u.SetGroupVersionKind(f.kind)
	return u
}

// Mismatch implements source.ObjectFeed.
func (f *feed) Mismatch(object map[string]any) string {
	u := unstructured.Unstructured{Object: object}
	if got := u.GroupVersionKind().GroupKind(); got != f.kind.GroupKind() {
		return fmt.Sprintf("it is a %s, and the source watches %s", got, f.kind.GroupKind())
	}
	switch f.selector.mismatch(object) {
	case "namespace":
		return fmt.Sprintf("it is in the namespace %q, and the source watches %q", u.GetNamespace(), f.namespace)
	case "labels":
		return fmt.Sprintf("its labels do not match %q", f.labels)
	case "fields":
		return fmt.Sprintf("its fields do not match %q", f.field)
	}
	return ""
}

// selector selects the objects of a query, as the API server does.
type selector struct {
	namespace string
	labels    labels.Selector
	fields    fields.Selector
}

func (q query) newSelector() selector {
	s := selector{namespace: q.namespace, labels: labels.Everything(), fields: fields.Everything()}
	if l, err := labels.Parse(q.labels); err == nil { // they are in canonical form
		s.labels = l
	}
	if f, err := fields.ParseSelector(q.field); err == nil {
		s.fields = f
	}
	return s
}

// mismatch returns what of an object of the kind is not selected: "namespace", "labels" or "fields";
// empty if all is.
func (s selector) mismatch(object map[string]any) string {
	u := unstructured.Unstructured{Object: object}
	switch {
	case s.namespace != "" && u.GetNamespace() != s.namespace:
		return "namespace"
	case !s.labels.Empty() && !s.labels.Matches(labels.Set(u.GetLabels())):
		return "labels"
	case !s.fields.Empty() && !s.fields.Matches(fieldsOf(object, s.fields)):
		return "fields"
	}
	return ""
}

// fieldsOf returns the values of the fields that a selector names.
func fieldsOf(object map[string]any, selector fields.Selector) fields.Set {
	set := fields.Set{}
	for _, r := range selector.Requirements() {
		if value, ok, _ := unstructured.NestedFieldNoCopy(object, strings.Split(r.Field, ".")...); ok {
			set[r.Field] = fmt.Sprint(value)
		}
	}
	return set
}
