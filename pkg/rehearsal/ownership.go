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

package rehearsal

import (
	"maps"
	"reflect"
)

// paths are the paths of fields, as the trees of their names. The tree of a field that is not
// a struct, such as a list, is empty.
type paths map[string]paths

// pathsOf returns the paths of all fields.
func pathsOf(object map[string]any) paths { return changedPaths(nil, object) }

// changedPaths returns the paths of the fields that after has, and before does not, or with
// another value.
func changedPaths(before, after map[string]any) paths {
	out := paths{}
	for name, value := range after {
		old, exists := before[name]
		fields, isStruct := value.(map[string]any)
		switch oldFields, _ := old.(map[string]any); {
		case isStruct && len(fields) > 0:
			if changed := changedPaths(oldFields, fields); len(changed) > 0 {
				out[name] = changed
			}
		case !exists || !reflect.DeepEqual(old, value):
			out[name] = paths{}
		}
	}
	return out
}

// add returns p with the paths q.
func (p paths) add(q paths) paths {
	out := maps.Clone(p)
	if out == nil {
		out = paths{}
	}
	for name, below := range q {
		out[name] = p[name].add(below)
	}
	return out
}

// remove returns p without the paths q.
func (p paths) remove(q paths) paths {
	out := paths{}
	for name, below := range p {
		removed, ok := q[name]
		if !ok {
			out[name] = below
		} else if rest := below.remove(removed); len(rest) > 0 {
			out[name] = rest
		}
	}
	return out
}

// without returns object without the fields at the paths p.
func without(object map[string]any, p paths) map[string]any {
	out := map[string]any{}
	for name, value := range object {
		below, ok := p[name]
		fields, isStruct := value.(map[string]any)
		switch {
		case !ok:
			out[name] = value
		case isStruct:
			if rest := without(fields, below); len(rest) > 0 {
				out[name] = rest
			}
		}
	}
	return out
}

// ownership is who owns the fields of an object that server-side apply has written: what each
// field manager applies, and the fields of all others. It is not modified.
type ownership struct {
	applied map[string]map[string]any
	others  paths
}

// written returns the ownership after a write, other than an apply, of the fields at p.
func (w ownership) written(p paths) ownership {
	if len(w.applied) > 0 {
		w.others = w.others.add(p)
	}
	return w
}

// droppable returns the fields that a manager has applied and that no other manager owns. They are
// removed when the manager no longer applies them.
func (w ownership) droppable(manager string) map[string]any {
	own := without(w.applied[manager], w.others)
	for other, fields := range w.applied {
		if other != manager {
			own = without(own, pathsOf(fields))
		}
	}
	return own
}

// apply returns the ownership after a manager has applied fields to object, of which it has
// changed those at p.
func (w ownership) apply(manager string, fields, object map[string]any, p paths) ownership {
	next := ownership{applied: map[string]map[string]any{manager: fields}, others: w.others.remove(p)}
	if len(w.applied) == 0 {
		next.others = pathsOf(object).remove(p)
	}
	for other, of := range w.applied {
		if other != manager {
			next.applied[other] = without(of, p)
		}
	}
	return next
}
