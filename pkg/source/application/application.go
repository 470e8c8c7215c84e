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

// Package application is the source "application": it emits an event when
// something becomes of a KubeVela Application, such as that its workflow failed.
//
// It is the resource source, with its promises: an event is for what an
// Application becomes, not for what it is, across restarts and gaps, too. What
// an Application was is remembered in up to resource.MaxNote bytes, enough for
// some 130 components; with more of them, and where the API server no longer has
// the history of a time in which kube-trigger did not run, all that an
// Application is after a change counts as new.
//
// An event's Data is the Application, and as "changes" what it became, by the
// words that properties have for it. An Application that is created, or begins
// to match a selector, becomes all that it is.
package application

import (
	_ "embed"
	"maps"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

// Type is the name of the source, as triggers write it.
const Type = "application"

//go:embed properties.cue
var properties string

// New returns the compiler of this source's properties. It needs no cluster to
// check them.
func New(o resource.Options) source.Compiler {
	s := schema.NewLazy(properties)
	return resource.NewDerived(o, resource.DerivedSource{
		Type:   Type,
		Parse:  func(given map[string]any) (resource.Request, diag.List) { return parse(s, given) },
		State:  nextState,
		Derive: derive,
	})
}

// nextState returns what is remembered of an Application.
func nextState(before []byte, app map[string]any) []byte {
	return decodeState(before).next(app).encode()
}

// derive returns an Application with what it became.
func derive(before, now []byte, app map[string]any) (map[string]any, bool) {
	changed := changes(decodeState(before), decodeState(now), app)
	if len(changed) == 0 {
		return nil, false
	}
	data := maps.Clone(app)
	data["changes"] = changed
	return data, true
}
