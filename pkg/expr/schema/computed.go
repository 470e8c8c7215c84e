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

package schema

import (
	"reflect"
	"slices"

	"cuelang.org/go/cue"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// computed is a property whose value depends on the event.
type computed struct{ kind cue.Kind }

// CheckComputed is Check for properties that c completes. The diagnostics of what c
// computes have the positions in it, and no path but the message's.
func (s *Schema) CheckComputed(properties map[string]any, c *expr.Computed) (problems, inComputed diag.List) {
	s.mu.Lock()
	defer s.mu.Unlock()
	built, err := c.Build(s.value.Context(), "")
	if err != nil {
		return nil, diag.List{{Message: err.Error()}}
	}
	m := merger{paths: map[string][]string{}}
	data, ok := m.merge("", nil, normalize(properties), expr.Properties(built)).(map[string]any)
	if !ok {
		data = normalize(properties) // the names of all fields depend on the event
	}
	k := checker{partial: c.Partial()}
	k.check("", s.value, data)
	if len(k.diagnostics) == 0 && len(m.conflicts) == 0 {
		known, _ := withoutComputed(data).(map[string]any)
		k.validate(fill(s.value, known))
	}
	for _, d := range slices.Concat(m.conflicts, k.diagnostics) {
		path, ok := m.paths[d.Path]
		if !ok {
			problems = append(problems, d)
			continue
		}
		line, column := c.Position(built, path)
		inComputed = append(inComputed, diag.Diagnostic{Line: line, Column: column, Message: d.Path + ": " + d.Message})
	}
	return problems, inComputed
}

// merger merges properties with computed ones.
type merger struct {
	// paths are the paths of the computed properties, by the path in diagnostics.
	paths     map[string][]string
	conflicts diag.List
}

func (m *merger) merge(path string, names []string, data any, v cue.Value) any {
	m.paths[path] = names
	if path == "" {
		delete(m.paths, path)
	}
	object, isObject := data.(map[string]any)
	if v.IncompleteKind() != cue.StructKind || v.Err() != nil || data != nil && !isObject {
		return m.leaf(path, data, v)
	}
	out := map[string]any{}
	for name, value := range object {
		out[name] = value
	}
	it, err := v.Fields()
	for err == nil && it.Next() {
		name := it.Selector().Unquoted()
		out[name] = m.merge(diag.Join(path, name), append(slices.Clip(names), name), object[name], it.Value())
	}
	return out
}

func (m *merger) leaf(path string, data any, v cue.Value) any {
	value := any(computed{v.IncompleteKind()})
	if v.Err() != nil {
		value = computed{cue.TopKind}
	} else if v.Validate(cue.Concrete(true)) == nil {
		var known any
		if v.Decode(&known) == nil {
			value = normalizeValue(known)
		}
	}
	if data != nil && path != "" && !reflect.DeepEqual(data, value) {
		m.conflicts.Add(path, "is also in properties; leave it out of one of them")
	}
	return value
}

// withoutComputed returns data without what depends on the event.
func withoutComputed(data any) any {
	switch data := data.(type) {
	case map[string]any:
		out := make(map[string]any, len(data))
		for name, value := range data {
			if _, ok := value.(computed); !ok {
				out[name] = withoutComputed(value)
			}
		}
		return out
	case []any:
		for _, e := range data {
			if _, ok := e.(computed); ok {
				return []any{}
			}
		}
	}
	return data
}

// computed checks the kind of a computed value.
func (c *checker) computed(path string, schema cue.Value, value computed) {
	if schema.Err() != nil || schema.IncompleteKind()&value.kind != 0 {
		return
	}
	c.diagnostics.Add(path, "must be %s, not %s", Describe(schema), value.kind)
}
