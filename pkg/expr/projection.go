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

// Projection is a set of paths below a root. The zero value holds none. It is
// immutable and safe for concurrent use.
type Projection struct{ root *node }

// node is what is taken of one value: all of it; or the named fields, and of
// anything that is no object all of it. A nil node takes nothing.
type node struct {
	whole  bool
	fields map[string]*node
}

// All takes everything.
func All() Projection { return Projection{&node{whole: true}} }

// Whole reports whether p takes everything.
func (p Projection) Whole() bool { return p.root != nil && p.root.whole }

// Empty reports whether p takes nothing.
func (p Projection) Empty() bool { return p.root == nil }

// Paths returns the paths that p takes whole, sorted. None is a prefix of
// another; a single empty path stands for everything.
func (p Projection) Paths() [][]string {
	var paths [][]string
	var collect func(n *node, at []string)
	collect = func(n *node, at []string) {
		if n.whole {
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
func (p Projection) Under(prefix ...string) Projection {
	n := p.root
	for _, name := range prefix {
		if n == nil || n.whole {
			break
		}
		n = n.fields[name]
	}
	return Projection{n}
}

// Union returns a projection that takes what p or q takes.
func (p Projection) Union(q Projection) Projection {
	return Projection{union(p.root, q.root)}
}

// Pick returns the fields of data that p takes. A field that data lacks is
// lacking; an object on the way to one is there if data has it; where a path
// leads into something that is no object, such as a list, that is taken whole.
// The result shares its values with data: neither may be changed.
func (p Projection) Pick(data map[string]any) map[string]any {
	if p.root == nil {
		return map[string]any{}
	}
	return pick(p.root, data)
}

func pick(n *node, data map[string]any) map[string]any {
	if n.whole {
		return data
	}
	out := make(map[string]any, len(n.fields))
	for name, field := range n.fields {
		value, ok := data[name]
		if !ok {
			continue
		}
		if object, isObject := value.(map[string]any); isObject {
			value = pick(field, object)
		}
		out[name] = value
	}
	return out
}

func union(a, b *node) *node {
	switch {
	case a == nil:
		return b
	case b == nil || a.whole:
		return a
	case b.whole:
		return b
	}
	fields := make(map[string]*node, len(a.fields)+len(b.fields))
	maps.Copy(fields, a.fields)
	for name, n := range b.fields {
		fields[name] = union(fields[name], n)
	}
	return &node{fields: fields}
}

// take adds all of the value at path.
func (n *node) take(path []string) {
	at := n.object(path)
	at.whole, at.fields = true, nil
}

// object adds the value at path as an object of which no field is needed, and
// returns its node.
func (n *node) object(path []string) *node {
	for _, name := range path {
		if n.whole {
			break
		}
		next := n.fields[name]
		if next == nil {
			next = &node{}
			if n.fields == nil {
				n.fields = map[string]*node{}
			}
			n.fields[name] = next
		}
		n = next
	}
	return n
}
