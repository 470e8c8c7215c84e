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

// Package projection finds out which fields of a root, such as `context`, a
// piece of CUE can depend on, and picks just those out of decoded JSON, so that
// CUE never sees the rest.
//
// A Projection may take more than CUE depends on, never less: evaluating with
// the picked data gives what evaluating with all of it gives.
package expr

import (
	"maps"
	"slices"
)

// FieldSet is a set of paths below a root. The zero value holds none. It is
// immutable and safe for concurrent use.
type FieldSet struct{ root *fieldNode }

// fieldNode is what is taken of one value: all of it; or the named fields, and of
// anything that is no object all of it. A nil node takes nothing.
type fieldNode struct {
	all    bool
	fields map[string]*fieldNode
}

// All takes everything.
func All() FieldSet { return FieldSet{&fieldNode{all: true}} }

// IsAll reports whether p takes everything.
func (p FieldSet) IsAll() bool { return p.root != nil && p.root.all }

// Empty reports whether p takes nothing.
func (p FieldSet) Empty() bool { return p.root == nil }

// Paths returns the paths that p takes whole, sorted. None is a prefix of
// another; a single empty path stands for everything.
func (p FieldSet) Paths() [][]string {
	var paths [][]string
	var collect func(n *fieldNode, at []string)
	collect = func(n *fieldNode, at []string) {
		if n.all {
			paths = append(paths, slices.Clone(at))
			return
		}
		for _, name := range slices.Sorted(maps.Keys(n.fields)) {
			collect(n.fields[name], append(at, name))
		}
	}
	if p.root != nil {
		collect(p.root, nil)
	}
	return paths
}

// Under returns what p takes below prefix.
func (p FieldSet) Under(prefix ...string) FieldSet {
	n := p.root
	for _, name := range prefix {
		if n == nil || n.all {
			break
		}
		n = n.fields[name]
	}
	return FieldSet{n}
}

// Union returns a projection that takes what p or q takes.
func (p FieldSet) Union(q FieldSet) FieldSet {
	return FieldSet{union(p.root, q.root)}
}

// Select returns the fields of data that p takes. A field that data lacks is
// lacking; an object on the way to one is there if data has it; where a path
// leads into something that is no object, such as a list, that is taken whole.
// The result shares its values with data: neither may be changed.
func (p FieldSet) Select(data map[string]any) map[string]any {
	if p.root == nil {
		return map[string]any{}
	}
	return selectFields(p.root, data)
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

// add adds all of the value at path.
func (n *fieldNode) add(path []string) {
	at := n.addObject(path)
	at.all, at.fields = true, nil
}

// addObject adds the value at path as an object of which no field is needed, and
// returns its node.
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
