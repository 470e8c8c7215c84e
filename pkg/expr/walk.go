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
	"slices"
	"strconv"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/token"
)

// Members returns the elements or fields of v without definitions, and at the top of
// a template without context and parameter. Fields with an attribute `@step(N)` come
// first, in the order of N, as in workflow definitions.
func Members(v cue.Value, top bool) []cue.Value {
	var out []cue.Value
	if v.IncompleteKind() == cue.ListKind {
		it, err := v.List()
		for err == nil && it.Next() {
			out = append(out, it.Value())
		}
		return out
	}
	it, err := v.Fields(cue.Hidden(true))
	for err == nil && it.Next() {
		name := it.Selector().String()
		if IsDefinition(name) || top && (name == "context" || name == "parameter") {
			continue
		}
		out = append(out, it.Value())
	}
	slices.SortStableFunc(out, func(a, b cue.Value) int { return stepAttribute(a) - stepAttribute(b) })
	return out
}

// noStep is the step of a field without `@step(N)`.
const noStep = 1 << 30

// stepAttribute returns the number in the attribute `@step(N)` of a field, or noStep.
func stepAttribute(v cue.Value) int {
	a := v.Attribute("step")
	if n, err := strconv.Atoi(a.Contents()); a.Err() == nil && err == nil {
		return n
	}
	return noStep
}

// Contains reports whether a node in tree is what a function tells. A walk that only looks is much
// cheaper than one that can replace.
func Contains(tree ast.Node, is func(ast.Node) bool) (found bool) {
	ast.Walk(tree, func(n ast.Node) bool {
		found = found || is(n)
		return !found
	}, nil)
	return found
}

// Resolve resolves the identifiers of file to its declarations. It replaces the
// resolution by the parser, which may be outdated after declarations were replaced.
func Resolve(file *ast.File) error {
	ast.Walk(file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			id.Node, id.Scope = nil, nil
		}
		return true
	}, nil)
	file.Unresolved = nil
	var errs errors.Error
	astutil.Resolve(file, func(pos token.Pos, msg string, args ...any) {
		errs = errors.Append(errs, errors.Newf(pos, msg, args...))
	})
	if errs != nil {
		return errs
	}
	return nil
}
