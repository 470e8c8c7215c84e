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
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	cueerrors "cuelang.org/go/cue/errors"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// checker compares data with a schema, field by field.
type checker struct {
	diagnostics diag.List
	// partial is set if more fields may be computed.
	partial bool
}

func (c *checker) check(path string, schema cue.Value, data any) {
	switch data := data.(type) {
	case computed:
		c.computed(path, schema, data)
		return
	case map[string]any:
		structs := structBranches(schema, data)
		if len(structs) == 1 {
			c.fields(path, structs[0], data)
			return
		}
		if key, allowed := discriminator(schema, data); len(structs) == 0 && key != "" {
			c.diagnostics.Add(diag.Join(path, key), "must be one of %s, not %v%s", quoted(allowed), describeDiscriminator(data[key]), diag.Suggest(fmt.Sprint(data[key]), allowed))
			return
		}
	case []any:
		if elem, ok := listBranch(schema); ok {
			for i, d := range data {
				c.check(path+"["+strconv.Itoa(i)+"]", elem, d)
			}
			return
		}
	}
	if err := fill(schema, data).Err(); err != nil && !isIncomplete(schema) {
		c.diagnostics.Add(path, "must be %s, not %s", Describe(schema), describeData(data, schema))
	}
}

// fields checks the fields of a struct: unknown ones, missing ones, and the values
// of all others.
func (c *checker) fields(path string, schema cue.Value, data map[string]any) {
	known := map[string]cue.Value{}
	var names []string
	it, err := schema.Fields(cue.Optional(true))
	for err == nil && it.Next() {
		name := it.Selector().Unquoted()
		known[name] = it.Value()
		names = append(names, name)
		if _, set := data[name]; !set && !c.partial && isRequired(it) {
			c.diagnostics.Add(diag.Join(path, name), "is required: %s", Describe(it.Value()))
		}
	}
	keys := make([]string, 0, len(data))
	for k := range data {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		sub, ok := known[k]
		switch {
		case ok:
			c.check(diag.Join(path, k), sub, data[k])
		case !schema.Allows(cue.Str(k)):
			hint := diag.Suggest(k, names)
			if hint == "" && len(names) > 0 {
				hint = "; known fields: " + strings.Join(names, ", ")
			}
			c.diagnostics.Add(diag.Join(path, k), "unknown field%s", hint)
		}
	}
}

// validate checks the constraints between fields, which the walk does not see.
func (c *checker) validate(v cue.Value) {
	list := expr.ErrorDiagnostics(v.Validate(), expr.ErrorOptions{Path: func(e cueerrors.Error) (path string) {
		for _, p := range e.Path() {
			if !strings.HasPrefix(p, "#") {
				path = diag.Join(path, p)
			}
		}
		return path
	}})
	for _, d := range list {
		c.diagnostics.Add(d.Path, "%s", d.Message)
	}
}

// structBranches returns the structs among the alternatives of schema that data may
// match: those whose fixed strings, such as `type: "merge"`, do not differ from data. If these
// are several, it returns the only one that takes data or, if there is none, the default.
func structBranches(schema cue.Value, data map[string]any) []cue.Value {
	var structs []cue.Value
	for _, b := range branches(schema) {
		if b.IncompleteKind() != cue.StructKind {
			continue
		}
		matches := true
		for key, fixed := range fixedStrings(b) {
			value, ok := data[key]
			if _, unknown := value.(computed); ok && !unknown && value != fixed {
				matches = false
			}
		}
		if matches {
			structs = append(structs, b)
		}
	}
	if len(structs) <= 1 {
		return structs
	}
	if fit := slices.DeleteFunc(slices.Clone(structs), func(b cue.Value) bool { return fill(b, data).Err() != nil }); len(fit) == 1 {
		return fit
	}
	if d, ok := schema.Default(); ok {
		return []cue.Value{d}
	}
	return structs
}

// discriminator returns the field that distinguishes the alternatives of schema,
// where data has it, and the allowed values.
func discriminator(schema cue.Value, data map[string]any) (key string, allowed []string) {
	for _, b := range branches(schema) {
		for k, fixed := range fixedStrings(b) {
			if _, ok := data[k]; ok && (key == "" || key == k) {
				key, allowed = k, append(allowed, fixed)
			}
		}
	}
	return key, allowed
}

// fixedStrings returns the fields of a struct whose value is a string literal.
func fixedStrings(v cue.Value) map[string]string {
	out := map[string]string{}
	it, err := v.Fields()
	for err == nil && it.Next() {
		if _, isDefault := it.Value().Default(); isDefault {
			continue
		}
		if fixed, err := it.Value().String(); err == nil {
			out[it.Selector().Unquoted()] = fixed
		}
	}
	return out
}

// listBranch returns the element of the only list of any length among the
// alternatives of schema.
func listBranch(schema cue.Value) (cue.Value, bool) {
	var elements []cue.Value
	for _, b := range branches(schema) {
		if e := b.LookupPath(cue.MakePath(cue.AnyIndex)); b.IncompleteKind() == cue.ListKind && e.Exists() {
			elements = append(elements, e)
		}
	}
	if len(elements) == 1 {
		return elements[0], true
	}
	return cue.Value{}, false
}

// branches returns the alternatives of a disjunction, or v alone.
func branches(v cue.Value) []cue.Value {
	op, args := v.Expr()
	if op == cue.NoOp && len(args) == 1 {
		return args // a disjunction without its default
	}
	if op != cue.OrOp {
		return []cue.Value{v}
	}
	var out []cue.Value
	for _, a := range args {
		out = append(out, branches(a)...)
	}
	return out
}

// isRequired reports whether a field has to be set: it is marked with "!", or it is
// not optional and its value is required.
func isRequired(it *cue.Iterator) bool {
	if it.FieldType()&cue.RequiredConstraint != 0 {
		return true
	}
	return !it.IsOptional() && requiresValue(it.Value())
}

// requiresValue reports whether a field of value v has to be set: v has no default,
// and does not depend on `context`.
func requiresValue(v cue.Value) bool {
	if v.IncompleteKind() == cue.StructKind {
		if d, ok := v.Default(); ok {
			v = d
		}
		it, err := v.Fields(cue.Optional(true))
		for err == nil && it.Next() {
			if isRequired(it) {
				return true
			}
		}
		return false
	}
	if d, ok := v.Default(); ok && d.Validate(cue.Concrete(true)) == nil {
		return false
	}
	if v.IncompleteKind() == cue.ListKind || v.Validate(cue.Concrete(true)) == nil {
		return false
	}
	return !refersToContext(v.Source())
}

// isIncomplete reports whether v cannot be evaluated yet because it refers to
// `context`.
func isIncomplete(v cue.Value) bool {
	return v.Err() != nil && refersToContext(v.Source())
}

func refersToContext(n ast.Node) bool {
	refers := false
	if n == nil {
		return false
	}
	ast.Walk(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == "context" {
			refers = true
		}
		return !refers
	}, nil)
	return refers
}
