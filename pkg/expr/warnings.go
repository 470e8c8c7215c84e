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
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// Warnings returns what is valid in CUE over `context`, and probably not meant: quantities,
// times, durations and versions that are ordered as texts, letter by letter; a name that is
// compared with a pattern; and types and data that no event of a form has.
func Warnings(text string, form event.Form) diag.List {
	file, err := ParseSyntax(Filename, text)
	if err != nil {
		return nil //nolint:nilerr // Parse reports it
	}
	w := warner{
		form:     form,
		quantity: regexp.MustCompile(`^[+-]?\d+(\.\d+)?([numkMGTPE]|[KMGTPE]i)?$`),
		version:  regexp.MustCompile(`^(v\d+(\.\d+)?|v?\d+\.\d+\.\d+)([-+][0-9A-Za-z.+-]+)?$`),
	}
	ast.Walk(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if isOrder(n.Op) {
				w.check(n.X)
				w.check(n.Y)
			}
			if n.Op == token.AND && isCondition(n.X) && isCondition(n.Y) {
				w.addAt(n.OpPos, "a & b unifies two values, which differ if one condition is false; write a && b")
			}
			if n.Op == token.EQL || n.Op == token.NEQ {
				w.equality(n.X, n.Y)
				w.equality(n.Y, n.X)
			}
		case *ast.UnaryExpr:
			if isOrder(n.Op) {
				w.check(n.X)
			}
		case *ast.CallExpr:
			w.contains(n)
		case *ast.SelectorExpr:
			w.dataField(n.X, n.Sel)
		case *ast.IndexExpr:
			if name, ok := n.Index.(*ast.BasicLit); ok {
				w.dataField(n.X, name)
			}
		}
		return true
	}, nil)
	for _, d := range file.Decls {
		if f, ok := d.(*ast.Field); ok && LabelName(f.Label) == "context" {
			w.constraints(f.Value)
		}
	}
	return w.list
}

// NestedWarnings returns the references in a template to fields of the data that no event of
// a form has, where the form knows these: context.data.changes.phase. The template may be
// for events of other sources as well, which have other data.
func NestedWarnings(file *ast.File, form event.Form) diag.List {
	var list diag.List
	ast.Walk(file, func(n ast.Node) bool {
		x, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		path, ok := staticPath(x)
		if ok && len(path) > 3 && path[0] == "context" && path[1] == "data" {
			if problem := unknownData("context.data", path[2:4], event.Form{Nested: form.Nested}); problem != "" {
				list = append(list, diag.Diagnostic{Line: n.Pos().Line(), Column: n.Pos().Column(), Message: problem})
			}
		}
		return !ok
	}, nil)
	return list
}

type warner struct {
	diagnostics
	form              event.Form
	quantity, version *regexp.Regexp
}

// check adds a warning if x, an operand of an order, is the text of a quantity, a time, a
// duration or a version.
func (w *warner) check(x ast.Expr) {
	text, ok := stringLiteral(x)
	if !ok || isBytes(x) {
		return
	}
	_, err := time.ParseDuration(text)
	isDuration, isQuantity := err == nil, w.quantity.MatchString(text)
	switch {
	case isQuantity && isDuration && text != "0":
		w.add(x, `texts are compared letter by letter, so that "5m" is more than "10m"; compare quantities: quantity(…) > quantity(%[1]q), or durations: time.ParseDuration(…) > time.ParseDuration(%[1]q)`, text)
	case isQuantity:
		w.add(x, `texts are compared letter by letter, so that "5Gi" is more than "10Gi"; compare quantities: quantity(…) > quantity(%q)`, text)
	case isDuration:
		w.add(x, `texts are compared letter by letter, so that "5s" is more than "10s"; compare durations: time.ParseDuration(…) > time.ParseDuration(%q)`, text)
	case isTime(text):
		w.add(x, "texts are compared letter by letter, without regard to time zones; compare times: timestamp(…) > timestamp(%q)", text)
	case w.version.MatchString(text):
		w.add(x, `texts are compared letter by letter, so that "1.9.0" is more than "1.10.0"; compare versions: version(…) > version(%q)`, text)
	}
}

// constraints adds the warnings about constraints on context: data: ref: "main".
func (w *warner) constraints(context ast.Expr) {
	for name, f := range fieldsOf(context) {
		for inner, field := range fieldsOf(f.Value) {
			if name == "event" {
				w.eventField(field.Label, inner)
			}
			if name == "data" {
				w.unknownData(field.Label, inner)
			} else if text, ok := stringLiteral(field.Value); ok && name == "event" && inner == "type" {
				w.eventType(field.Value, text)
			}
		}
	}
}

// fieldsOf iterates over the fields of a struct, by name.
func fieldsOf(x ast.Expr) iter.Seq2[string, *ast.Field] {
	return func(yield func(string, *ast.Field) bool) {
		s, ok := x.(*ast.StructLit)
		if !ok {
			return
		}
		for _, d := range s.Elts {
			f, ok := d.(*ast.Field)
			if !ok {
				continue
			}
			if name, static := fieldName(f.Label); static && !yield(name, f) {
				return
			}
		}
	}
}

// equality adds a warning if x, which is compared with value, never equals it: a type that
// no event has, or a name and a pattern such as "web-*".
func (w *warner) equality(x, value ast.Expr) {
	text, ok := stringLiteral(value)
	root, path := selectorPath(x)
	if !ok || root == "" || len(path) == 0 {
		return
	}
	if root == "context" && slices.Equal(path, []string{"event", "type"}) {
		w.eventType(value, text)
		return
	}
	if last := path[len(path)-1]; strings.Contains(text, "*") && (last == "name" || last == "namespace") {
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(text), `\*`, ".*") + "$"
		w.add(value, "== compares the whole text, in which no name has a *; a pattern is a regular expression: =~ %q", pattern)
	}
}

// contains adds a warning for each type in list.Contains([…], context.event.type) that no
// event has.
func (w *warner) contains(call *ast.CallExpr) {
	fun, path := selectorPath(call.Fun)
	if fun != "list" || !slices.Equal(path, []string{"Contains"}) || len(call.Args) != 2 {
		return
	}
	if list, ok := call.Args[0].(*ast.ListLit); ok {
		for _, element := range list.Elts {
			w.equality(call.Args[1], element)
		}
	}
}

func (w *warner) eventType(value ast.Expr, text string) {
	if len(w.form.Types) == 0 || slices.Contains(w.form.Types, text) {
		return
	}
	w.add(value, "no event of this source has the type %q%s; types: %s", text, diag.Suggest(text, w.form.Types), strings.Join(w.form.Types, ", "))
}

// dataField adds a warning if no event has the field of x, context.data or a part of it.
func (w *warner) dataField(x ast.Expr, field ast.Label) {
	root, path := selectorPath(x)
	name, ok := fieldName(field)
	switch {
	case !ok || root != "context" || len(path) == 0:
	case path[0] == "data":
		w.unknownData(field, append(slices.Clip(path[1:]), name)...)
	case path[0] == "event" && len(path) == 1:
		w.eventField(field, name)
	}
}

// eventField adds a warning about a field that context.event never has.
func (w *warner) eventField(field ast.Node, name string) {
	if known := event.Fields(); !slices.Contains(known, name) {
		w.add(field, "no event has context.event.%s%s; fields: %s", name, diag.Suggest(name, known), strings.Join(known, ", "))
	}
}

func (w *warner) unknownData(field ast.Node, path ...string) {
	if problem := unknownData("context.data", path, w.form); problem != "" {
		w.add(field, "%s", problem)
	}
}

// unknownData returns why no event of a form has a value at a path below its data, whose
// own path is data, or "". It knows the last name of the path only.
func unknownData(data string, path []string, form event.Form) string {
	if len(path) == 2 && form.Nested[path[0]] != nil && !slices.Contains(form.Nested[path[0]], path[1]) {
		known := form.Nested[path[0]]
		return fmt.Sprintf("no event of this source has %s.%s.%s%s; fields: %s", data, path[0], path[1], diag.Suggest(path[1], known), strings.Join(known, ", "))
	}
	fields := form.DataFields
	if len(path) == 2 && path[0] == "headers" && slices.Contains(fields, "headers") && path[1] != strings.ToLower(path[1]) {
		return fmt.Sprintf("names of headers are in lower case: %q", strings.ToLower(path[1]))
	}
	if len(fields) == 0 || len(path) != 1 || slices.Contains(fields, path[0]) {
		return ""
	}
	hint := diag.Suggest(path[0], fields)
	if hint == "" && slices.Contains(fields, "body") {
		hint = fmt.Sprintf("; did you mean %s.body.%s?", data, path[0])
	}
	return fmt.Sprintf("no event of this source has %s.%s%s; fields: %s", data, path[0], hint, strings.Join(fields, ", "))
}

// isCondition reports whether x is a comparison, or joins some.
func isCondition(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return isCondition(x.X)
	case *ast.BinaryExpr:
		switch x.Op {
		case token.EQL, token.NEQ, token.MAT, token.NMAT, token.LAND, token.LOR:
			return true
		}
		return isOrder(x.Op)
	}
	return false
}

func isOrder(op token.Token) bool {
	switch op {
	case token.LSS, token.LEQ, token.GTR, token.GEQ:
		return true
	}
	return false
}

// isTime reports whether text is a time or a date.
func isTime(text string) bool {
	for _, layout := range []string{time.RFC3339, time.DateOnly, time.DateTime} {
		if _, err := time.Parse(layout, text); err == nil {
			return true
		}
	}
	return false
}

// interpolationWarnings returns the texts in CUE with the placeholders of another language,
// which CUE does not replace: {{.data.x}}, ${context.data.x}.
func interpolationWarnings(text string) diag.List {
	file, err := ParseSyntax(Filename, text)
	if err != nil {
		return nil //nolint:nilerr // ParseComputed reports it
	}
	var w diagnostics
	ast.Walk(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok {
			text, _ := stringLiteral(lit)
			if strings.Contains(text, "{{") || strings.Contains(text, "${context") || strings.Contains(text, "$(context") {
				w.add(lit, `a text in CUE is sent as it is; to put a value into it, write "\(context.data.metadata.name)"`)
			}
		}
		return true
	}, nil)
	return w.list
}
