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

package closure

import (
	"encoding/json"
	"maps"
	"slices"
)

// object is a struct of the text. Those of an event are maps, whose fields CUE orders by their
// names.
type object struct {
	fields map[string]any
	// names are in the order of the text. They are not known where unordered is set.
	names     []string
	unordered bool
}

// fieldsOf returns the fields of a struct.
func fieldsOf(v any) (map[string]any, bool) {
	switch v := v.(type) {
	case map[string]any:
		return v, true
	case *object:
		return v.fields, true
	}
	return nil, false
}

// orderOf returns the names of the fields of a struct in CUE's order, or false if only CUE knows
// it.
func orderOf(v any) ([]string, bool) {
	switch v := v.(type) {
	case map[string]any:
		return slices.Sorted(maps.Keys(v)), true
	case *object:
		return v.names, !v.unordered || len(v.fields) < 2
	}
	return nil, false
}

// add adds a field to o, or unifies it with the one that is there.
func (o *object) add(name string, v any) Status {
	present, ok := o.fields[name]
	if !ok {
		o.fields[name] = v
		o.names = append(o.names, name)
		return Present
	}
	a, ok := fieldsOf(present)
	b, also := fieldsOf(v)
	if ok && also {
		both := newObject(len(a) + len(b))
		o.fields[name] = both
		if s := both.addAll(present); s != Present {
			return s
		}
		return both.addAll(v)
	}
	if same, s := equalElements(present, v); s != Present || !same {
		return Unknown
	}
	return Present
}

// addAll adds the fields of a struct.
func (o *object) addAll(v any) Status {
	fields, ok := fieldsOf(v)
	if !ok {
		return Unknown
	}
	names, known := orderOf(v)
	o.unordered = o.unordered || !known
	if !known {
		names = slices.Sorted(maps.Keys(fields))
	}
	for _, name := range names {
		if s := o.add(name, fields[name]); s != Present {
			return s
		}
	}
	return Present
}

func newObject(size int) *object { return &object{fields: make(map[string]any, size)} }

// MarshalJSON implements json.Marshaler.
func (o *object) MarshalJSON() ([]byte, error) { return json.Marshal(o.fields) }

// Fields returns the fields of a struct that a Program, or a definition's struct, has as a value;
// false if v is none.
func Fields(v any) (map[string]any, bool) { return fieldsOf(v) }
