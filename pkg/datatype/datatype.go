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

// Package datatype describes the values that data can have: their kinds, and their fields or elements.
// It imports no other package of this module.
package datatype

import (
	"maps"
	"math/bits"
)

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

// Format is what the texts of a type are. Texts of a format have an order of their own, which is
// not that of their letters.
type Format string

// The formats of texts.
const (
	Quantity Format = "quantity"
	Time     Format = "time"
)

// Type tells what is known of the values that something can have. It is immutable.
type Type struct {
	Kinds Kinds
	// Fields are the known fields of a struct. Closed is set if a struct has no others.
	Fields map[string]Type `json:",omitempty"`
	Closed bool            `json:",omitempty"`
	// Values is the type of the fields of a struct that are not in Fields, such as the entries of
	// a map. If it is nil, they have any type.
	Values *Type `json:",omitempty"`
	// LowerCase is set if no name of a field has upper case letters.
	LowerCase bool `json:",omitempty"`
	// Elements is the type of the elements of a list; nil for any.
	Elements *Type `json:",omitempty"`
	// Format is the format of texts; empty for any.
	Format Format `json:",omitempty"`
	// Origin is the schema of others that a struct is from, such as "apps/v1 Deployment", which
	// may get more fields. It is empty if the schema is ours.
	Origin string `json:",omitempty"`
}

// Of returns the type of all values of kinds.
func Of(kinds Kinds) Type { return Type{Kinds: kinds} }

// Object returns the type of a struct that has no other fields.
func Object(fields map[string]Type) Type {
	return Type{Kinds: Struct, Fields: fields, Closed: true}
}

// MapOf returns the type of a struct with any names of fields.
func MapOf(values Type) Type { return Type{Kinds: Struct, Values: &values} }

// ListOf returns the type of a list.
func ListOf(elements Type) Type { return Type{Kinds: List, Elements: &elements} }

// Field returns the type of a field, or false if no value has that field.
func (t Type) Field(name string) (Type, bool) {
	if f, ok := t.Fields[name]; ok {
		return f, true
	}
	switch {
	case !t.Kinds.Has(Struct) || t.Closed:
		return Type{}, false
	case t.Values != nil:
		return *t.Values, true
	}
	return Of(Any), true
}

// With returns a struct that has further fields, in place of those of the same names.
func (t Type) With(fields map[string]Type) Type {
	if len(fields) == 0 {
		return t
	}
	all := maps.Clone(t.Fields)
	if all == nil {
		all = map[string]Type{}
	}
	maps.Copy(all, fields)
	t.Fields = all
	return t
}

// Element returns the type of the elements of lists, or of the values of structs whose fields have
// one type.
func (t Type) Element() Type {
	switch {
	case t.Kinds == List && t.Elements != nil:
		return *t.Elements
	case t.Kinds == Struct && t.Values != nil && len(t.Fields) == 0:
		return *t.Values
	}
	return Of(Any)
}

// Union returns the type of the values of a and b.
func Union(a, b Type) Type {
	if a.Kinds == Struct && b.Kinds == Struct || a.Kinds == List && b.Kinds == List {
		return Of(a.Kinds)
	}
	switch {
	case a.Kinds.Has(Struct | List):
		a.Kinds |= b.Kinds
		return a
	case b.Kinds.Has(Struct | List):
		b.Kinds |= a.Kinds
		return b
	case a.Format != b.Format:
		return Of(a.Kinds | b.Kinds)
	}
	a.Kinds |= b.Kinds
	return a
}
