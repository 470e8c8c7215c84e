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
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr/gotemplate"
)

// schemaReader builds Messages from a file.
type schemaReader struct {
	declared map[string]ast.Expr
	depth    int
	problems diag.List
}

func (r *schemaReader) add(a *ast.Attribute, format string, args ...any) {
	r.problems = append(r.problems, diag.Diagnostic{Line: a.Pos().Line(), Column: a.Pos().Column(), Message: fmt.Sprintf(format, args...)})
}

// maxSchemaDepth limits the depth of a schema, which may refer to itself.
const maxSchemaDepth = 16

// MessagesOf returns the message templates of an action's properties, and the invalid
// attributes.
func MessagesOf(file *ast.File) (Messages, diag.List) {
	r := schemaReader{declared: map[string]ast.Expr{}}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.Field); ok {
			r.declared[LabelName(f.Label)] = f.Value
		}
	}
	root := &messageNode{}
	for _, name := range []string{"parameter", ParameterSchema} {
		if x := r.declared[name]; x != nil {
			root = r.value(x, nil)
		}
	}
	isCall := executedProperties(file)
	ast.Walk(file, func(n ast.Node) bool {
		if path, ok := isCall(n); ok {
			root.mark(path)
		}
		return true
	}, nil)
	return Messages{root}, r.problems
}

// mark makes the property at path a message template, unless its attribute does.
func (n *messageNode) mark(path []string) {
	for _, name := range path {
		if n.fields == nil {
			n.fields = map[string]*messageNode{}
		}
		if n.fields[name] == nil {
			n.fields[name] = &messageNode{}
		}
		n = n.fields[name]
	}
	if n.text == nil {
		n.text = &messageAttribute{place: string(gotemplate.Plain)}
	}
}

// value returns the node of a schema. text is the attribute of its field.
func (r *schemaReader) value(x ast.Expr, text *messageAttribute) *messageNode {
	if r.depth++; r.depth > maxSchemaDepth {
		r.depth--
		return &messageNode{}
	}
	defer func() { r.depth-- }()
	switch x := x.(type) {
	case *ast.StructLit:
		return r.structure(x)
	case *ast.ListLit:
		n := &messageNode{elements: &messageNode{text: text}}
		for _, e := range x.Elts {
			if rest, ok := e.(*ast.Ellipsis); ok && rest.Type != nil {
				n.elements = r.value(rest.Type, text)
			}
		}
		return n
	case *ast.ParenExpr:
		return r.value(x.X, text)
	case *ast.UnaryExpr: // a default
		return r.value(x.X, text)
	case *ast.BinaryExpr:
		return &messageNode{text: text, alternatives: []*messageNode{r.value(x.X, text), r.value(x.Y, text)}}
	case *ast.Ident:
		if declared := r.declared[x.Name]; declared != nil {
			return r.value(declared, text)
		}
	}
	return &messageNode{text: text}
}

func (r *schemaReader) structure(x *ast.StructLit) *messageNode {
	n := &messageNode{fields: map[string]*messageNode{}, fixed: map[string]string{}}
	for _, d := range x.Elts {
		f, ok := d.(*ast.Field)
		if !ok {
			continue
		}
		name, static := fieldName(f.Label)
		child := r.value(f.Value, r.attribute(f))
		if !static {
			n.others = child
			continue
		}
		n.fields[name] = child
		if value, ok := stringLiteral(f.Value); ok {
			n.fixed[name] = value
		}
	}
	return n
}

// attribute returns the attribute `@text` of f, or nil.
func (r *schemaReader) attribute(f *ast.Field) *messageAttribute {
	for _, a := range f.Attrs {
		key, body := a.Split()
		if key != "text" {
			continue
		}
		m := &messageAttribute{}
		for i, argument := range splitArguments(body) {
			name, value, named := strings.Cut(argument, "=")
			switch {
			case i == 0 && !named:
				m.place = argument
			case name == "default":
				m.fallback, _ = strconv.Unquote(value)
			case name == "from":
				m.from = value
			case name == "by":
				m.by = value
			default:
				r.add(a, "unknown argument %q of @text", argument)
			}
		}
		if _, ok := m.variant(""); !ok {
			r.add(a, "unknown place %q in @text%s; places: %s", m.place, diag.Suggest(m.place, placeNames()), strings.Join(placeNames(), ", "))
		}
		return m
	}
	return nil
}

// splitArguments splits the body of an attribute at commas outside of quotes.
func splitArguments(body string) []string {
	var out []string
	start, quoted := 0, false
	for i, r := range body {
		switch {
		case r == '"' && (i == 0 || body[i-1] != '\\'):
			quoted = !quoted
		case r == ',' && !quoted:
			out = append(out, strings.TrimSpace(body[start:i]))
			start = i + 1
		}
	}
	return append(out, strings.TrimSpace(body[start:]))
}

const (
	// bodyPlace is the place of a body whose content type is in another property.
	bodyPlace = "body"
	// sharedPlace is that of a text which other properties use, each at its own place.
	sharedPlace = "shared"
)

func placeNames() []string {
	names := []string{bodyPlace, sharedPlace}
	for _, p := range gotemplate.Places() {
		names = append(names, string(p))
	}
	return names
}

// variant returns the place for the value of the property by.
func (m *messageAttribute) variant(value string) (gotemplate.Place, bool) {
	switch place := gotemplate.Place(m.place); {
	case place == gotemplate.Telegram && value != "":
		for _, p := range []gotemplate.Place{gotemplate.TelegramHTML, gotemplate.TelegramMarkdown, gotemplate.TelegramMarkdownV2} {
			if strings.EqualFold(string(p), m.place+" "+value) {
				return p, true
			}
		}
		return place, true
	case place == gotemplate.Plain && strings.Contains(value, "html"):
		return gotemplate.HTML, true
	case m.place == bodyPlace:
		return contentPlace(value), true
	case m.place == sharedPlace:
		return gotemplate.Plain, true
	default:
		return place, slices.Contains(gotemplate.Places(), place)
	}
}

// contentPlace returns the place of a content type.
func contentPlace(contentType string) gotemplate.Place {
	kind, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	switch kind = strings.TrimSpace(kind); {
	case kind == "application/x-www-form-urlencoded":
		return gotemplate.Form
	case strings.HasSuffix(kind, "html"), strings.HasSuffix(kind, "xml"):
		return gotemplate.HTML
	case strings.HasSuffix(kind, "json"):
		return gotemplate.JSON
	}
	return gotemplate.Plain
}

// executedProperties returns a function that reports whether a node of file executes a
// property as a Go template with context as its data, and the path of the property.
func executedProperties(file *ast.File) func(n ast.Node) (path []string, ok bool) {
	name := ""
	for _, spec := range file.Imports {
		if importPath(spec) == "text/template" {
			name = importName(spec)
		}
	}
	return func(n ast.Node) (path []string, ok bool) {
		call, ok := n.(*ast.CallExpr)
		if !ok || name == "" || len(call.Args) != 2 {
			return nil, false
		}
		pkg, function := selectorPath(call.Fun)
		data, dataPath := selectorPath(call.Args[1])
		root, path := selectorPath(call.Args[0])
		return path, pkg == name && slices.Equal(function, []string{"Execute"}) && data == "context" && len(dataPath) == 0 && root == "parameter" && len(path) > 0
	}
}

// TakeExecutedProperties replaces the executions of properties in file, as in
// MessagesOf, by the properties, which are rendered before CUE sees them. Whether such a
// property is a template, as in `strings.Contains(parameter.PATH, "{{")`, is true.
func TakeExecutedProperties(file *ast.File) {
	isCall := executedProperties(file)
	if !Contains(file, func(n ast.Node) bool { _, ok := isCall(n); return ok }) {
		return
	}
	taken := NameSet{}
	astutil.Apply(file, func(c astutil.Cursor) bool {
		path, ok := isCall(c.Node())
		if !ok {
			return true
		}
		call, _ := c.Node().(*ast.CallExpr)
		c.Replace(call.Args[0])
		taken[strings.Join(path, "\x00")] = true
		return false
	}, nil)
	astutil.Apply(file, func(c astutil.Cursor) bool {
		call, ok := c.Node().(*ast.CallExpr)
		if !ok || len(call.Args) != 2 || !callsFunction(call, "strings", "Contains") {
			return true
		}
		root, path := selectorPath(call.Args[0])
		part, _ := stringLiteral(call.Args[1])
		if root == "parameter" && part == "{{" && taken[strings.Join(path, "\x00")] {
			c.Replace(ast.NewBool(true))
		}
		return true
	}, nil)
	DropUnusedImports(file)
}
