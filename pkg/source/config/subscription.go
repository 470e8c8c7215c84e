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

package config

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/fields"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/reference"
	"github.com/kubevela/kube-trigger/pkg/rights"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

// subscription is the subscription of one trigger.
type subscription struct {
	options resource.Options
	trigger source.Spec
	events  []string
	// objects has the subscription to each object.
	objects map[reference.Reference]source.Subscription
}

// compile returns the subscription to one object. Options.OnStatus gets the status of its
// watch.
func (s subscription) compile(o resource.Options, r reference.Reference) (source.Subscription, diag.List) {
	request := resource.Request{Events: s.events, Properties: map[string]any{
		"apiVersion": "v1", "kind": r.Kind, "namespace": s.trigger.Namespace,
		"fieldSelector": fields.OneTermEqualSelector("metadata.name", r.Name).String(),
	}}
	return resource.NewDerived(o, resource.DerivedSource{
		Type:  Type,
		Parse: func(map[string]any) (resource.Request, diag.List) { return request, nil },
	}).Compile(nil, s.trigger)
}

// Key implements source.Subscription. It does not depend on the objects: each is watched once
// for all triggers of the namespace.
func (s subscription) Key() string { return Type + ":" + s.trigger.Namespace }

// Skip implements source.Subscription.
func (s subscription) Skip(ev event.Event, d source.Delivery) source.Reason {
	metadata, _ := ev.Data["metadata"].(map[string]any)
	kind, _ := ev.Data["kind"].(string)
	name, _ := metadata["name"].(string)
	object, ok := s.objects[reference.Reference{Kind: kind, Name: name}]
	if !ok {
		return source.NotSubscribed
	}
	return object.Skip(ev, d)
}

// UsesCheckpoint implements source.Subscription.
func (s subscription) UsesCheckpoint(name string) bool {
	for _, object := range s.objects {
		if object.UsesCheckpoint(name) {
			return true
		}
	}
	return false
}

// MetadataOnly implements source.MetadataSubscription.
func (s subscription) MetadataOnly() bool {
	for _, object := range s.objects {
		if m, ok := object.(source.MetadataSubscription); !ok || !m.MetadataOnly() {
			return false
		}
	}
	return true
}

// Whole implements source.MetadataSubscription.
func (s subscription) Whole() source.Subscription {
	s.trigger.MetadataOnly = false
	return s
}

// Watch returns nil: the trigger's account needs permission for single objects only.
func (subscription) Watch() *source.Watch { return nil }

// Rights implements source.Accessor.
func (s subscription) Rights() (list []rights.Right, unknown string) {
	for _, r := range slices.SortedFunc(maps.Keys(s.objects), reference.Reference.Compare) {
		list = append(list, rights.Right{APIVersion: "v1", Kind: r.Kind, Namespace: s.trigger.Namespace, Name: r.Name, Verbs: []string{"list", "watch"}})
	}
	if len(list) == 0 {
		return nil, "the controller gives the right to watch what the component refers to"
	}
	return list, ""
}

// Objects implements source.Enumerator.
func (s subscription) Objects() []string {
	var all []string
	for r := range s.objects {
		all = append(all, r.Kind+" "+r.Name)
	}
	return all
}

// Open implements source.Subscription.
func (s subscription) Open(shared []source.Subscription) source.Source {
	w := &watches{key: s.Key(), options: s.options, sources: map[reference.Reference]source.Source{}, statuses: map[reference.Reference]error{}}
	byObject := map[reference.Reference][]source.Subscription{}
	for _, other := range shared {
		other, ok := other.(subscription)
		if !ok {
			continue
		}
		for r := range other.objects {
			o := s.options
			o.OnStatus = func(_ string, err error) { w.setStatus(r, err) }
			if object, problems := other.compile(o, r); len(problems) == 0 {
				byObject[r] = append(byObject[r], object)
			}
		}
	}
	for r, objects := range byObject {
		w.sources[r] = objects[0].Open(objects)
	}
	return w
}
