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

package trigger

import (
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/filter"
	"github.com/kubevela/kube-trigger/pkg/kubeschema"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// Checks are what is done about a probable mistake that the types of events tell.
type Checks struct {
	// Strict makes what no schema has a problem: a field, or a kind. Schemas of a cluster do so for
	// their fields.
	Strict bool
	// WarnOnly makes all of it warnings, for triggers that have been accepted before.
	WarnOnly bool
}

// isProblem returns whether a finding is a problem. isCurrent is set if the schema is that of the
// cluster.
func (c Checks) isProblem(isCurrent bool) func(expr.Certainty) bool {
	return func(certainty expr.Certainty) bool {
		switch {
		case c.WarnOnly:
			return false
		case certainty == expr.UnknownField:
			return c.Strict || isCurrent
		}
		return certainty == expr.Impossible
	}
}

// checkTypes returns what the types of the events of a trigger tell about its filter and actions.
func (c Compiler) checkTypes(t Compiled, compiled compiledActions, spec v1alpha1.Trigger) (problems, warnings diag.List) {
	form, isCurrent := c.Sources[spec.Source.Type].Form, false
	var findings expr.Findings
	if t.Subscription != nil && t.Subscription.Watch() != nil {
		var found kubeschema.Found
		found, findings = c.findKind(*t.Subscription.Watch(), spec.Source.Properties)
		isCurrent = found.Current
		form = formOf(form, found)
	}
	if t.Filter != nil {
		findings = append(findings, filter.Check(spec.Filter, form).WithPrefix("filter")...)
	}
	if by, ok := groupExpression(spec); ok {
		findings = append(findings, filter.CheckGroup(by, form).WithPrefix("group.by")...)
	}
	for _, path := range slices.Sorted(maps.Keys(compiled.resolved)) {
		findings = append(findings, compiled.resolved[path].check(form).WithPrefix(path)...)
	}
	return findings.Split(c.Checks.isProblem(isCurrent))
}

// findKind returns what is known of the objects of a source, and what is probably wrong with their kind.
func (c Compiler) findKind(watch source.Watch, properties *runtime.RawExtension) (kubeschema.Found, expr.Findings) {
	find := c.find
	if find == nil {
		find = c.Schemas.Find
	}
	found := find(watch.Kind)
	given, err := decodeObject(properties)
	if given["clusters"] != nil || given["clusterSelector"] != nil {
		found.Current = false // other clusters may have other schemas
	}
	if err != nil || given["kind"] == nil {
		return found, nil // the source decides on the kind
	}
	if found.Problem == "" && !found.Known && c.Checks.Strict {
		found.Problem = "no schema has the kind " + kubeschema.Name(watch.Kind) + "; name a file with its CustomResourceDefinition with --schemas"
	}
	if found.Problem == "" {
		return found, nil
	}
	path := "source.properties.kind"
	if found.APIVersion {
		path = "source.properties.apiVersion"
	}
	return found, expr.Findings{{Diagnostic: diag.Diagnostic{Path: path, Message: found.Problem}, Certainty: expr.UnknownField}}
}

// findOnce returns s.Find, which looks up each kind once. It is safe for concurrent use.
func findOnce(s *kubeschema.Schemas) func(schema.GroupVersionKind) kubeschema.Found {
	var mu sync.Mutex
	known := map[schema.GroupVersionKind]kubeschema.Found{}
	return func(kind schema.GroupVersionKind) kubeschema.Found {
		mu.Lock()
		defer mu.Unlock()
		found, ok := known[kind]
		if !ok {
			found = s.Find(kind)
			known[kind] = found
		}
		return found
	}
}

// formOf returns the form of the events for objects of a kind.
func formOf(form event.Form, found kubeschema.Found) event.Form {
	if found.Known {
		form.Data = found.Type.With(form.Data.Fields)
	}
	return form
}

// Kinds returns the kinds of objects that the triggers of ts watch, as far as they are told without compiling.
func Kinds(sources source.Registry, ts *v1alpha1.TriggerService) []schema.GroupVersionKind {
	var kinds []schema.GroupVersionKind
	for _, t := range ts.Spec.Triggers {
		kind := sources[t.Source.Type].Kind
		if given, err := decodeObject(t.Source.Properties); err == nil && kind.Empty() {
			version, _ := given["apiVersion"].(string)
			name, _ := given["kind"].(string)
			kind = schema.FromAPIVersionAndKind(version, name)
		}
		if kind.Kind != "" && kind.Version != "" && !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}
