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
	"sort"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	cueerrors "cuelang.org/go/cue/errors"

	"github.com/kubevela/kube-trigger/pkg/diag"
)

// checker walks a schema and data side by side.
type checker struct{ diagnostics diag.List }

func (c *checker) check(path string, schema cue.Value, data any) {
	switch data := data.(type) {
	case map[string]any:
		found := structBranches(schema, data)
		if len(found) == 1 {
			c.fields(path, found[0], data)
			return
		}
		if key, want := discriminator(schema, data); len(found) == 0 && key != "" {
			c.diagnostics.Add(diag.Join(path, key), "must be one of %s, not %v%s", quoted(want), describeDiscriminator(data[key]), diag.Suggest(fmt.Sprint(data[key]), want))
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

// fields checks a struct: fields that the schema does not know, fields that it
// misses, and each one that is there.
func (c *checker) fields(path string, schema cue.Value, data map[string]any) {
	known := map[string]cue.Value{}
	var names []string
	it, err := schema.Fields(cue.Optional(true))
	for err == nil && it.Next() {
		name := it.Selector().Unquoted()
		known[name] = it.Value()
		names = append(names, name)
		if _, given := data[name]; !given && isRequired(it) {
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

// validate reports what only the values together show, such as a rule between two
// fields.
func (c *checker) validate(v cue.Value) {
	for _, e := range cueerrors.Errors(v.Validate()) {
		format, args := e.Msg()
		path := ""
		for _, p := range e.Path() {
			if !strings.HasPrefix(p, "#") {
				path = diag.Join(path, p)
			}
		}
		c.diagnostics.Add(path, "%s", fmt.Sprintf(format, args...))
	}
}

// structBranches returns the structs among the alternatives of schema that data
// may be meant to be: those whose fixed words, such as `type: "merge"`, it has.
func structBranches(schema cue.Value, data map[string]any) []cue.Value {
	var found []cue.Value
	for _, b := range branches(schema) {
		if b.IncompleteKind() != cue.StructKind {
			continue
		}
		fits := true
		for key, word := range fixedStrings(b) {
			if given, ok := data[key]; ok && given != word {
				fits = false
			}
		}
		if fits {
			found = append(found, b)
		}
	}
	if d, ok := schema.Default(); ok && len(found) > 1 {
		return []cue.Value{d} // data does not say which; neither need it
	}
	return found
}

// discriminator returns the field that tells the alternatives of schema apart,
// where data has it, and the words that it may hold.
func discriminator(schema cue.Value, data map[string]any) (key string, want []string) {
	for _, b := range branches(schema) {
		for k, word := range fixedStrings(b) {
			if _, ok := data[k]; ok && (key == "" || key == k) {
				key, want = k, append(want, word)
			}
		}
	}
	return key, want
}

// fixedStrings returns the fields of a struct whose value is a fixed string.
func fixedStrings(v cue.Value) map[string]string {
	out := map[string]string{}
	it, err := v.Fields()
	for err == nil && it.Next() {
		if _, isDefault := it.Value().Default(); isDefault {
			continue
		}
		if word, err := it.Value().String(); err == nil {
			out[it.Selector().Unquoted()] = word
		}
	}
	return out
}

// listBranch returns the element of the list that schema is, or of the only
// list of any length among its alternatives.
func listBranch(schema cue.Value) (cue.Value, bool) {
	var found []cue.Value
	for _, b := range branches(schema) {
		if e := b.LookupPath(cue.MakePath(cue.AnyIndex)); b.IncompleteKind() == cue.ListKind && e.Exists() {
			found = append(found, e)
		}
	}
	if len(found) == 1 {
		return found[0], true
	}
	return cue.Value{}, false
}

// branches returns the alternatives of a disjunction, or v alone.
func branches(v cue.Value) []cue.Value {
	op, args := v.Expr()
	if op == cue.NoOp && len(args) == 1 {
		return args // what is left of a disjunction without its default
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

// isRequired reports whether a field has to be given: it is marked with "!", or it is
// not optional and its value is required.
func isRequired(it *cue.Iterator) bool {
	if it.FieldType()&cue.RequiredConstraint != 0 {
		return true
	}
	return !it.IsOptional() && requiresValue(it.Value())
}

// requiresValue reports whether a field of value v has to be given: it has no
// default, and nothing but the user can supply it.
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

// isIncomplete reports whether v cannot be judged yet because it refers to
// `context`.
func isIncomplete(v cue.Value) bool {
	return v.Err() != nil && refersToContext(v.Source())
}

func refersToContext(n ast.Node) bool {
	found := false
	if n == nil {
		return false
	}
	ast.Walk(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == "context" {
			found = true
		}
		return !found
	}, nil)
	return found
}
