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

package filter

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/diag"
)

// Filename is the file that positions within the expression name.
const Filename = "filter"

// Expression is a parsed expression. Evaluating changes syntax trees, so each
// evaluator parses the text again; the parts come in the same order each time.
type Expression struct {
	text string
	file *ast.File
	// Conditions are the expressions that stand for themselves.
	Conditions []ast.Expr
	// Constraints are the declarations of context.
	Constraints []*ast.Field
	// helpers are the let clauses, hidden fields and definitions, by name.
	helpers map[string][]helper
	// imports maps the names by which packages are known to their paths.
	imports map[string]string
}

// helper is a declaration that conditions and constraints may refer to: its
// value, and what identifiers that refer to it are resolved to.
type helper struct {
	decl  ast.Decl
	value ast.Expr
	node  ast.Node
}

// helper returns the declarations that id refers to.
func (s *Expression) helper(id *ast.Ident) []helper {
	all := s.helpers[id.Name]
	if id.Node != nil && !slices.ContainsFunc(all, func(h helper) bool { return h.node == id.Node }) {
		return nil
	}
	return all
}

// isContext reports whether id is the context of the event, not something nearer.
func (s *Expression) isContext(id *ast.Ident) bool {
	return id.Name == "context" && (id.Node == nil || slices.ContainsFunc(s.Constraints, func(f *ast.Field) bool {
		return unaliased(f.Value) == id.Node
	}))
}

func unaliased(x ast.Expr) ast.Expr {
	if a, ok := x.(*ast.Alias); ok {
		return a.Expr
	}
	return x
}

// Parse reads text, and finds what has no place in a filter.
func Parse(text string) (*Expression, diag.List) {
	file, err := parser.ParseFile(Filename, text)
	if err != nil {
		return nil, cueDiagnostics(err, nil)
	}
	s := &Expression{text: text, file: file, helpers: map[string][]helper{}, imports: map[string]string{}}
	var found diagnostics
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.ImportDecl:
			for _, spec := range d.Specs {
				s.imports[importName(spec)] = importPath(spec)
			}
		case *ast.LetClause:
			s.helpers[d.Ident.Name] = append(s.helpers[d.Ident.Name], helper{d, d.Expr, d})
		case *ast.Field:
			s.addField(d, &found)
		case *ast.EmbedDecl:
			if _, ok := d.Expr.(*ast.StructLit); ok {
				found.add(d, "a struct is no condition; write the constraints without braces: context: data: …")
				continue
			}
			s.Conditions = append(s.Conditions, d.Expr)
		case *ast.Comprehension:
			found.add(d, "a filter is not conditional; write it as one condition, with || and &&")
		case *ast.Ellipsis, *ast.BadDecl, *ast.Alias:
			found.add(d, "has no place in a filter")
		}
	}
	switch {
	case len(s.Conditions) > 1:
		found.add(s.Conditions[1], "a second condition; join conditions with &&, at the end of the line before")
	case len(s.Conditions) > 0 && len(s.Constraints) > 0:
		found.add(s.Conditions[0], "a filter is a condition or constraints on context, not both; write all of it as one condition")
	case len(s.Conditions) == 0 && len(s.Constraints) == 0 && len(file.Decls) > 0 && len(found.list) == 0:
		found.add(file.Decls[0], "there is no condition and no constraint on context")
	}
	return s, found.list
}

// addField sorts a field at the top of a filter.
func (s *Expression) addField(f *ast.Field, found *diagnostics) {
	name, identifier, err := ast.LabelName(f.Label)
	_, aliased := f.Label.(*ast.Alias)
	switch {
	case aliased:
		found.add(f, "an alias has no place here; use a let clause")
	case err != nil:
		found.add(f, "constraints belong under context: the label is computed")
	case name == "context":
		s.Constraints = append(s.Constraints, f)
	case identifier && (strings.HasPrefix(name, "_") || strings.HasPrefix(name, "#")):
		s.helpers[name] = append(s.helpers[name], helper{f, f.Value, unaliased(f.Value)})
	default:
		found.add(f, "constraints belong under context: there is no %q%s", name, diag.Suggest(name, []string{"context"}))
	}
}

// importName returns the name by which a file knows an imported package.
func importName(spec *ast.ImportSpec) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	path := importPath(spec)
	return path[strings.LastIndexAny(path, "/:")+1:]
}

func importPath(spec *ast.ImportSpec) string { return strings.Trim(spec.Path.Value, `"`) }

// diagnostics collects problems with their places.
type diagnostics struct{ list diag.List }

func (f *diagnostics) add(at ast.Node, format string, args ...any) {
	f.addAt(at.Pos(), format, args...)
}

func (f *diagnostics) addAt(pos token.Pos, format string, args ...any) {
	f.list.Add("", format, args...)
	last := &f.list[len(f.list)-1]
	if pos.Filename() == Filename {
		last.Line, last.Column = pos.Line(), pos.Column()
	}
}

// cueDiagnostics turns an error of CUE into problems, each at its place in the text
// that s was parsed from; s is nil if it could not be.
func cueDiagnostics(err error, s *Expression) diag.List {
	var found diagnostics
	for _, e := range errors.Errors(err) {
		place := e.Position()
		for _, pos := range slices.Backward(errors.Positions(e)) {
			if pos.Filename() == Filename {
				place = pos
			}
		}
		found.addAt(place, "%s", cueMessage(e, s))
	}
	return found.list
}

func cueMessage(e errors.Error, s *Expression) string {
	format, args := e.Msg()
	message := fmt.Sprintf(format, args...)
	switch {
	case s == nil:
	case format == "reference %q not found" && len(args) == 1:
		return s.unknownName(fmt.Sprint(args[0]))
	case isConflict(e):
		return "can never match: " + strings.Join(e.Path(), ".") + ": " + message
	}
	return message
}

// unknownName says what could be meant by an identifier that nothing declares.
func (s *Expression) unknownName(name string) string {
	if slices.Contains(standardLibrary(), name) {
		return fmt.Sprintf("unknown name %q: import %[1]q is missing", name)
	}
	known := append(slices.Collect(maps.Keys(s.helpers)), slices.Collect(maps.Keys(s.imports))...)
	slices.Sort(known)
	known = append([]string{"context"}, known...)
	return fmt.Sprintf("unknown name %q%s", name, diag.Suggest(name, known))
}

// sortByPosition returns one problem for each place, in the order of the text.
func sortByPosition(list diag.List) diag.List {
	slices.SortStableFunc(list, func(a, b diag.Diagnostic) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return slices.CompactFunc(list, func(a, b diag.Diagnostic) bool {
		return a.Line == b.Line && a.Column == b.Column && (a.Line > 0 || a.Message == b.Message)
	})
}
