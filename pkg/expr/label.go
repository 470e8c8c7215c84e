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
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/expr/closure"
)

// LabelName returns the name of a label or selector, and "" where it is computed.
func LabelName(l ast.Label) string {
	name, _, _ := ast.LabelName(l)
	return name
}

// fieldName returns the field of decoded JSON that a label or selector names. It is
// false for hidden fields, definitions, and labels that are computed.
func fieldName(l ast.Label) (string, bool) {
	switch l := l.(type) {
	case *ast.Alias:
		inner, ok := l.Expr.(ast.Label)
		if !ok {
			return "", false
		}
		return fieldName(inner)
	case *ast.Ident:
		return l.Name, !closure.IsInternal(l.Name)
	case *ast.BasicLit:
		switch l.Kind {
		case token.STRING:
			return stringLiteral(l)
		case token.NULL, token.TRUE, token.FALSE:
			return l.Value, true
		}
	}
	return "", false
}

// identName returns the identifier that a label is, or "".
func identName(l ast.Label) string {
	if a, ok := l.(*ast.Alias); ok {
		l, _ = a.Expr.(ast.Label)
	}
	if id, ok := l.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// isComputed reports whether a label has to be evaluated: an interpolation, an
// expression or a pattern.
func isComputed(l ast.Label) bool {
	_, static := fieldName(l)
	return !static && !closure.IsInternal(identName(l))
}

func isHidden(l ast.Label) bool { return strings.HasPrefix(identName(l), "_") }

// IsDefinition reports whether name is that of a definition.
func IsDefinition(name string) bool { return strings.HasPrefix(strings.TrimPrefix(name, "_"), "#") }

// declaredName returns the name that d declares unconditionally: that of a let
// clause or of a regular field without an alias.
func declaredName(d ast.Decl) (string, bool) {
	switch d := d.(type) {
	case *ast.LetClause:
		return d.Ident.Name, true
	case *ast.Field:
		_, aliased := d.Label.(*ast.Alias)
		name := LabelName(d.Label)
		return name, name != "" && !aliased && d.Constraint == token.ILLEGAL
	}
	return "", false
}

// importName returns the local name of an imported package.
func importName(spec *ast.ImportSpec) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	path := importPath(spec)
	return path[strings.LastIndexAny(path, "/:")+1:]
}

func importPath(spec *ast.ImportSpec) string { return strings.Trim(spec.Path.Value, `"`) }

// stringLiteral returns the value of a string literal.
func stringLiteral(x ast.Expr) (string, bool) {
	lit, ok := x.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := literal.Unquote(lit.Value)
	return s, err == nil
}
