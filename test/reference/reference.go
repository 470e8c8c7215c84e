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

// Package reference generates reference documentation from the CUE files of actions, sources
// and provider functions, from CustomResourceDefinitions, and from metrics.
package reference

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
)

// Reference is the documentation of a CUE file. Properties and fields of results must have
// a comment with +usage.
type Reference struct {
	// Summary is the comment at the start of the file.
	Summary string
	// Rows are rows of a Markdown table: name, type, default and usage of each property.
	Rows []string
	// Results are rows of a Markdown table: name and usage of each field of an action's
	// result.
	Results []string
	// Rights are rows of a Markdown table: verbs and usage of each right of an action.
	Rights []string

	t    *testing.T
	name string
	// lenient is set if fields need no +usage.
	lenient     bool
	definitions map[string]ast.Expr
}

// OfAction returns the reference of an action template. A missing +usage fails the test.
func OfAction(t *testing.T, name, source string) Reference {
	t.Helper()
	r, file := parse(t, name, source)
	for _, line := range strings.Split(source, "\n") {
		text, isComment := strings.CutPrefix(line, "// ")
		if !isComment {
			break
		}
		r.Summary = strings.TrimSpace(r.Summary + " " + text)
	}
	r.fields("", r.definitions["parameter"], false)
	for _, d := range file.Decls {
		if f, ok := d.(*ast.Field); ok {
			switch label, _, _ := ast.LabelName(f.Label); label {
			case "result":
				r.result(f)
			case "rights":
				r.rights(f)
			}
		}
	}
	return *r
}

// OfProperties returns the reference of a file whose fields, except definitions, are
// properties. A missing +usage fails the test.
func OfProperties(t *testing.T, name, source string) Reference {
	t.Helper()
	r, file := parse(t, name, source)
	for _, d := range file.Decls {
		if f, ok := d.(*ast.Field); ok {
			if label, _, _ := ast.LabelName(f.Label); !strings.HasPrefix(label, "#") {
				r.field("", f, false)
			}
		}
	}
	return *r
}

// parse returns a Reference with the definitions of source.
func parse(t *testing.T, name, source string) (*Reference, *ast.File) {
	t.Helper()
	file, err := parser.ParseFile(name, source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	r := &Reference{t: t, name: name, definitions: map[string]ast.Expr{}}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.Field); ok {
			label, _, _ := ast.LabelName(f.Label)
			r.definitions[label] = f.Value
		}
	}
	return r, file
}

// result adds a row for each field of a result, or one row if the result is no struct.
func (r *Reference) result(f *ast.Field) {
	if fields, ok := f.Value.(*ast.StructLit); ok {
		r.resultFields(fields)
		return
	}
	usage := usageOf(f)
	if usage == "" {
		r.t.Errorf("%s.cue: result has no +usage", r.name)
	}
	r.Results = append(r.Results, fmt.Sprintf("| all of it | %s |\n", escape(usage)))
}

// resultFields adds a row for each field of a result, including optional ones.
func (r *Reference) resultFields(result *ast.StructLit) {
	for _, d := range result.Elts {
		switch d := d.(type) {
		case *ast.Field:
			label, _, _ := ast.LabelName(d.Label)
			usage := usageOf(d)
			if usage == "" {
				r.t.Errorf("%s.cue: result.%s has no +usage", r.name, label)
			}
			r.Results = append(r.Results, fmt.Sprintf("| `%s` | %s |\n", label, escape(usage)))
		case *ast.Comprehension:
			if inner, ok := d.Value.(*ast.StructLit); ok {
				r.resultFields(inner)
			}
		}
	}
}

// rights adds a row for each element of the list of rights.
func (r *Reference) rights(f *ast.Field) {
	list, _ := f.Value.(*ast.ListLit)
	for _, right := range list.Elts {
		usage, verbs := usageOf(right), []string{}
		if usage == "" {
			r.t.Errorf("%s.cue: an element of rights has no +usage", r.name)
		}
		ast.Walk(right, func(n ast.Node) bool {
			f, ok := n.(*ast.Field)
			if ok && fmt.Sprint(f.Label) == "verbs" {
				for _, verb := range f.Value.(*ast.ListLit).Elts {
					if c, ok := verb.(*ast.Comprehension); ok { // if … {"get"}
						verb = c.Value.(*ast.StructLit).Elts[0].(*ast.EmbedDecl).Expr
					}
					verbs = append(verbs, "`"+strings.Trim(r.text(verb), `"`)+"`")
				}
			}
			return true
		}, nil)
		r.Rights = append(r.Rights, fmt.Sprintf("| %s | %s |\n", strings.Join(verbs, ", "), escape(usage)))
	}
}

// fields adds a row for each field of v, which is the value at path. If described is set,
// fields without +usage are allowed.
func (r *Reference) fields(path string, v ast.Expr, described bool) {
	switch v := v.(type) {
	case *ast.StructLit:
		for _, d := range v.Elts {
			if f, ok := d.(*ast.Field); ok {
				r.field(path, f, described)
			}
		}
	case *ast.ListLit:
		for _, e := range v.Elts {
			if rest, ok := e.(*ast.Ellipsis); ok {
				r.fields(path+"[]", rest.Type, false)
			}
		}
	case *ast.BinaryExpr:
		r.fields(path, v.X, false)
		r.fields(path, v.Y, false)
	case *ast.UnaryExpr:
		r.fields(path, v.X, false)
	case *ast.CallExpr: // close({…})
		r.fields(path, v.Args[0], false)
	case *ast.Ident:
		if d := r.definitions[v.Name]; d != nil {
			r.fields(r.alternative(path, d), d, false)
		}
	}
}

// alternative returns the path of v with the type that distinguishes it from its
// alternatives: "to[slack]" instead of "to[]".
func (r *Reference) alternative(path string, v ast.Expr) string {
	list := strings.TrimSuffix(path, "[]")
	s, ok := v.(*ast.StructLit)
	if !ok {
		return path
	}
	for _, d := range s.Elts {
		if f, ok := d.(*ast.Field); ok {
			label, _, _ := ast.LabelName(f.Label)
			if value, ok := f.Value.(*ast.BasicLit); ok && label == "type" {
				return list + "[" + strings.Trim(value.Value, `"`) + "]"
			}
		}
	}
	return path
}

// field adds rows for f, which is a field of the value at path, and for its fields.
func (r *Reference) field(path string, f *ast.Field, described bool) {
	label, _, err := ast.LabelName(f.Label)
	if err != nil { // [string]: …
		r.fields(path+".*", f.Value, false)
		return
	}
	path = strings.TrimPrefix(path+"."+label, ".")
	usage := usageOf(f)
	// A struct with fields, such as `url: secretRef: {…}` and `metadata: {…}`, needs no
	// usage: its fields have one.
	nested, isStruct := f.Value.(*ast.StructLit)
	hasFields := isStruct && len(nested.Elts) > 0
	if usage == "" && !described && !hasFields && !r.lenient {
		r.t.Errorf("%s.cue: %s has no +usage", r.name, path)
	}
	if usage != "" || r.lenient && !hasFields {
		kind, defaultValue := r.kind(f.Value)
		if defaultValue == "" && f.Constraint != token.OPTION && kind != "object" && !strings.HasPrefix(kind, "map") {
			defaultValue = "required"
		}
		if f.Constraint == token.NOT {
			defaultValue = "required"
		}
		r.Rows = append(r.Rows, fmt.Sprintf("| `%s` | %s | %s | %s |\n", path, escape(kind), escape(defaultValue), escape(usage)))
	}
	r.fields(path, f.Value, isStruct && len(nested.Elts) == 1)
}

// usageOf returns the text of the comment +usage of n; empty if there is none.
func usageOf(n ast.Node) string {
	for _, g := range ast.Comments(n) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(g.Text()), "+usage="); ok {
			return text
		}
	}
	return ""
}

// kind returns the type and the default of v.
func (r *Reference) kind(v ast.Expr) (kind, defaultValue string) {
	switch v := v.(type) {
	case *ast.StructLit:
		if len(v.Elts) == 1 {
			if f, ok := v.Elts[0].(*ast.Field); ok {
				if _, _, err := ast.LabelName(f.Label); err != nil {
					element, _ := r.kind(f.Value)
					return "map of " + element, ""
				}
			}
		}
		return "object", ""
	case *ast.ListLit:
		for _, e := range v.Elts {
			if rest, ok := e.(*ast.Ellipsis); ok {
				if rest.Type == nil {
					return "list", ""
				}
				element, _ := r.kind(rest.Type)
				return "list of " + element, ""
			}
		}
		return "list", ""
	case *ast.BinaryExpr:
		if v.Op == token.OR {
			x, first := r.kind(v.X)
			y, second := r.kind(v.Y)
			if y == "string" && strings.HasPrefix(x, "`\"") {
				x = "" // x is only the default value
			}
			if n, isNumber := v.Y.(*ast.BasicLit); isNumber && n.Kind == token.INT && x == "" {
				x = first // the default value is one of the numbers
			}
			if x == y || strings.HasSuffix(x, " or "+y) {
				y = ""
			}
			kinds := slices.DeleteFunc([]string{x, y}, func(s string) bool { return s == "" })
			return strings.Join(kinds, " or "), first + second
		}
	case *ast.UnaryExpr:
		if v.Op == token.MUL {
			text := r.text(v.X)
			if s, isString := v.X.(*ast.BasicLit); isString && s.Kind == token.STRING && s.Value != `""` {
				return "`" + text + "`", "`" + text + "`"
			}
			if text == `""` || text == "[]" {
				return "", "empty"
			}
			if kind, _ := r.kind(v.X); kind == "object" {
				return kind, ""
			}
			return "", "`" + text + "`"
		}
	case *ast.ParenExpr:
		return r.kind(v.X)
	case *ast.CallExpr: // close({…})
		return r.kind(v.Args[0])
	case *ast.Ident:
		if d := r.definitions[v.Name]; d != nil {
			return r.kind(d)
		}
		if v.Name == "_" {
			return "anything", ""
		}
		return v.Name, ""
	}
	return "`" + r.text(v) + "`", ""
}

// text returns the source of v in one line.
func (r *Reference) text(v ast.Expr) string {
	b, err := format.Node(v)
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(b)), " ")
}

// escape escapes s for a cell of a Markdown table.
func escape(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
