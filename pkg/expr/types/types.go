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

// Package types tells what values a CUE expression can have, as far as that is known without an
// event.
package types

import "math/bits"

// Kinds is a set of kinds of values.
type Kinds uint8

// The kinds of values.
const (
	Null Kinds = 1 << iota
	Bool
	Number
	String
	Bytes
	List
	Struct
	// Any are all kinds.
	Any Kinds = 1<<iota - 1
)

// Has reports whether one of kinds is in k.
func (k Kinds) Has(kinds Kinds) bool { return k&kinds != 0 }

// IsOne reports whether k is one kind.
func (k Kinds) IsOne() bool { return bits.OnesCount8(uint8(k)) == 1 }

// String returns the name of one kind in a sentence, such as "a boolean"; "" for several kinds.
func (k Kinds) String() string {
	switch k {
	case Null:
		return "null"
	case Bool:
		return "a boolean"
	case Number:
		return "a number"
	case String:
		return "a string"
	case Bytes:
		return "bytes"
	case List:
		return "a list"
	case Struct:
		return "a struct"
	}
	return ""
}

// Type tells what is known of the values that something can have. It is immutable.
type Type struct {
	Kinds Kinds
	// Fields are the known fields of a struct. Closed is set if a struct has no others.
	Fields map[string]Type
	Closed bool
	// Elements is the type of the elements of a list; nil for any.
	Elements *Type
}

// Of returns the type of all values of kinds.
func Of(kinds Kinds) Type { return Type{Kinds: kinds} }

// Field returns the type of a field, or false if no value has that field.
func (t Type) Field(name string) (Type, bool) {
	if f, ok := t.Fields[name]; ok {
		return f, true
	}
	if !t.Kinds.Has(Struct) || t.Closed {
		return Type{}, false
	}
	return Of(Any), true
}

// Element returns the type of the elements of lists.
func (t Type) Element() Type {
	if t.Elements == nil {
		return Of(Any)
	}
	return *t.Elements
}
