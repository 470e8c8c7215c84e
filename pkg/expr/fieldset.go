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

package expr

import (
	"maps"
	"slices"
)

// FieldSet is a set of fields below a root, such as `context`. The zero value is
// empty. It is immutable and safe for concurrent use.
type FieldSet struct{ root *fieldNode }

// fieldNode is the part of a FieldSet at one value: all of the value, or the named
// fields of an object. A value that is not an object belongs to the set as a whole. A
// nil node is empty.
type fieldNode struct {
	all    bool
	fields map[string]*fieldNode
}

// All returns the set of all fields.
func All() FieldSet { return FieldSet{&fieldNode{all: true}} }

// Fields returns the set of these fields with all that is below them.
func Fields(names ...string) FieldSet {
	if len(names) == 0 {
		return FieldSet{}
	}
	root := &fieldNode{}
	for _, name := range names {
		root.add([]string{name})
	}
	return FieldSet{root}
}

// Field returns the set of the field at a path with all that is below it.
func Field(path ...string) FieldSet {
	root := &fieldNode{}
	root.add(path)
	return FieldSet{root}
}

// IsAll reports whether s holds all fields.
func (s FieldSet) IsAll() bool { return s.root != nil && s.root.all }

// Empty reports whether s holds no fields.
func (s FieldSet) Empty() bool { return s.root == nil }

// IsWithin reports whether s holds no other fields than these, and what is below them.
func (s FieldSet) IsWithin(names ...string) bool {
	if s.root == nil {
		return true
	}
	for name := range s.root.fields {
		if !slices.Contains(names, name) {
			return false
		}
	}
	return !s.root.all
}

// Under returns the fields of s below prefix.
func (s FieldSet) Under(prefix ...string) FieldSet {
	n := s.root
	for _, name := range prefix {
		if n == nil || n.all {
			break
		}
		n = n.fields[name]
	}
	return FieldSet{n}
}

// Union returns the fields that are in s or other.
func (s FieldSet) Union(other FieldSet) FieldSet {
	return FieldSet{union(s.root, other.root)}
}

// Select returns the fields of data that are in s. Objects on the path to a field are
// part of the result where data has them, even where it lacks the field. A value on
// the path that is not an object, such as a list, is part of the result as a whole.
// The result shares its values with data: neither may be changed.
func (s FieldSet) Select(data map[string]any) map[string]any {
	if s.root == nil {
		return map[string]any{}
	}
	return selectFields(s.root, data)
}

// Complete returns data with the fields of s that it lacks, which are value. Fields of objects
// that data has are added there; other values stay as they are.
func (s FieldSet) Complete(data map[string]any, value any) map[string]any {
	if s.root == nil || s.root.all {
		return data
	}
	out := maps.Clone(data)
	if out == nil {
		out = map[string]any{}
	}
	for name, n := range s.root.fields {
		present, has := out[name]
		object, isObject := present.(map[string]any)
		switch {
		case has && !isObject:
		case n.all && !has, !n.all && len(n.fields) == 0 && !has:
			out[name] = value
		default:
			out[name] = FieldSet{n}.Complete(object, value)
		}
	}
	return out
}

func selectFields(n *fieldNode, data map[string]any) map[string]any {
	if n.all {
		return data
	}
	out := make(map[string]any, len(n.fields))
	for name, field := range n.fields {
		value, ok := data[name]
		if !ok {
			continue
		}
		if object, isObject := value.(map[string]any); isObject {
			value = selectFields(field, object)
		}
		out[name] = value
	}
	return out
}

func union(a, b *fieldNode) *fieldNode {
	switch {
	case a == nil:
		return b
	case b == nil || a.all:
		return a
	case b.all:
		return b
	}
	fields := make(map[string]*fieldNode, len(a.fields)+len(b.fields))
	maps.Copy(fields, a.fields)
	for name, n := range b.fields {
		fields[name] = union(fields[name], n)
	}
	return &fieldNode{fields: fields}
}

// add adds the value at path.
func (n *fieldNode) add(path []string) {
	n = n.addObject(path)
	n.all, n.fields = true, nil
}

// addObject adds the value at path as an object without fields, and returns its node.
func (n *fieldNode) addObject(path []string) *fieldNode {
	for _, name := range path {
		if n.all {
			break
		}
		next := n.fields[name]
		if next == nil {
			next = &fieldNode{}
			if n.fields == nil {
				n.fields = map[string]*fieldNode{}
			}
			n.fields[name] = next
		}
		n = next
	}
	return n
}
