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
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// MaxState is the maximum size in bytes of a state that is saved. A larger state is
// lost if the API server no longer has the history after a restart.
const MaxState = maxObjectState - 1

// DerivedSource defines a source whose events are derived from the changes of objects.
// It has all guarantees of this package.
type DerivedSource struct {
	// Type is the type of the derived source, and the Source of its events.
	Type string
	// Kind is the kind of the objects.
	Kind schema.GroupVersionKind
	// Properties is that of its source.Factory.
	Properties string
	// Form is the form of its events.
	Form event.Form
	// Parse parses the properties of a trigger. If they are too invalid to select
	// objects, Request.Properties is nil.
	Parse func(properties map[string]any) (Request, diag.List)
	// State returns the state of an object whose last state was before, or nil if it
	// had none. It must not return nil, must return the same state for the same object
	// again, and must not include secrets, since the state is saved. It is nil without
	// Derive.
	State func(before []byte, object map[string]any) []byte
	// Derive returns the data of the event for a create or an update, given the states
	// of the object before and now, or false if there is no event. before is nil if
	// the object was created or its last state is unknown. Derive must not modify
	// object. If it is nil, the events are those of the objects.
	Derive func(before, now []byte, object map[string]any) (map[string]any, bool)
}

// Request is the subscription of a trigger to a derived source.
type Request struct {
	// Properties are the properties of the source "resource-watcher" that select the
	// objects.
	Properties map[string]any
	// Events are the types of events to derive from: create, update, or both; any without
	// Derive.
	Events []string
	// Filter reports whether the trigger gets an event.
	Filter func(event.Event) bool
}

// NewDerived returns the factory of a derived source.
func NewDerived(o Options, d DerivedSource) source.Factory {
	compile := newCompiler(o)
	return source.Factory{Properties: d.Properties, Capabilities: source.Capabilities{Status: true, Kind: d.Kind, Form: d.Form}, Compile: func(properties map[string]any, t source.Spec) (source.Subscription, diag.List) {
		req, list := d.Parse(properties)
		if req.Properties == nil {
			return nil, list
		}
		s, more := compile(req.Properties, t, &d)
		if list = append(list, more...); len(list) > 0 {
			return nil, list
		}
		s.events, s.filter = req.Events, req.Filter
		return s, nil
	}}
}
