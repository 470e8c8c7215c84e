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

// Package application is the source "application": it emits an event when the state of a
// KubeVela Application changes, such as when its workflow fails.
//
// It is derived from package resource and shares its guarantees: an event stands for a
// change of state, also across restarts and gaps. The last state of an Application is
// saved in up to resource.MaxState bytes, enough for about 130 components. For a larger
// Application, the first change after a gap for which the API server has no history
// counts the whole state as changed.
//
// An event's Data is the Application, with its changes as "changes", by the names that
// the property events has for them. For an Application that is created, or begins to
// match a selector, the whole state counts as changed.
package application

import (
	_ "embed"
	"maps"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"

	"github.com/kubevela/kube-trigger/pkg/datatype"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

// Type is the source's type in triggers.
const Type = "application"

//go:embed properties.cue
var properties string

// New returns the factory of this source. Compiling needs no cluster.
func New(o resource.Options) source.Factory {
	s := schema.NewLazy(properties)
	return resource.NewDerived(o, resource.DerivedSource{
		Type:       Type,
		Properties: properties,
		Kind:       v1beta1.ApplicationKindVersionKind,
		Form:       form(),
		Parse:      func(given map[string]any) (resource.Request, diag.List) { return parse(s, given) },
		State:      nextState,
		Derive:     derive,
	})
}

// form returns the form of the events: an Application with its changes.
func form() event.Form {
	text := datatype.Of(datatype.String)
	workflow := datatype.Object(map[string]datatype.Type{"status": text, "message": text, "appRevision": text})
	services := datatype.ListOf(datatype.Object(map[string]datatype.Type{"name": text, "namespace": text, "cluster": text, "message": text}))
	changes := datatype.Object(map[string]datatype.Type{
		phaseChanged:       datatype.Object(map[string]datatype.Type{"from": text, "to": text}),
		workflowFinished:   workflow,
		workflowFailed:     workflow,
		revisionMade:       datatype.Object(map[string]datatype.Type{"name": text, "revision": datatype.Of(datatype.Number), "revisionHash": text}),
		componentUnhealthy: services,
		componentHealthy:   services,
	})
	return event.Form{Data: datatype.Of(datatype.Struct).With(map[string]datatype.Type{"changes": changes})}
}

// nextState returns the encoded state of an Application, given the one before.
func nextState(before []byte, app map[string]any) []byte {
	return decodeState(before).next(app).encode()
}

// derive returns the event's data, and false if nothing has changed.
func derive(before, now []byte, app map[string]any) (map[string]any, bool) {
	changed := changes(decodeState(before), decodeState(now), app)
	if len(changed) == 0 {
		return nil, false
	}
	data := maps.Clone(app)
	data["changes"] = changed
	return data, true
}
