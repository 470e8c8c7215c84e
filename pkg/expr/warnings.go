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
	"cmp"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/datatype"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// CheckCondition returns the findings of Check in a filter, and conditions that no event meets.
func CheckCondition(text string, form event.Form) Findings {
	return findings(text, form, (*dataChecker).condition)
}

// Check returns what is valid in CUE over `context`, and probably not meant: quantities,
// times, durations and versions that are ordered as texts, letter by letter; a name that is
// compared with a pattern; and types, fields and kinds of values that no event of a form has.
func Check(text string, form event.Form) Findings {
	return findings(text, form, func(*dataChecker, ast.Expr) map[ast.Node]bool { return nil })
}

// findings is Check. embedded checks an expression at the top of the text, and returns the comparisons that it
// has checked.
func findings(text string, form event.Form, embedded func(*dataChecker, ast.Expr) map[ast.Node]bool) Findings {
	file, err := ParseFile(Filename, text)
	if err != nil {
		return nil // Parse reports it
	}
	data, err := newDataChecker(file, form)
	if err != nil {
		return nil // Parse reports it
	}
	w := warner{
		dataChecker: data,
		form:        form,
		quantity:    regexp.MustCompile(`^[+-]?\d+(\.\d+)?([numkMGTPE]|[KMGTPE]i)?$`),
		version:     regexp.MustCompile(`^(v\d+(\.\d+)?|v?\d+\.\d+\.\d+)([-+][0-9A-Za-z.+-]+)?$`),
		checked:     map[ast.Node]bool{},
	}
	for _, d := range file.Decls {
		if x, ok := d.(*ast.EmbedDecl); ok {
			maps.Copy(w.checked, embedded(data, x.Expr))
		}
	}
	ast.Walk(file, w.visit, nil)
	for _, d := range file.Decls {
		if f, ok := d.(*ast.Field); ok && LabelName(f.Label) == "context" {
			w.constraints(f.Value)
		}
	}
	slices.SortStableFunc(w.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return w.Findings
}

type warner struct {
	*dataChecker
	form              event.Form
	quantity, version *regexp.Regexp
	// checked are the comparisons whose operands have been checked.
	checked map[ast.Node]bool
}

func (w *warner) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		if isOrder(n.Op) && w.mismatch(n) == "" && !w.check(n.X) && !w.check(n.Y) {
			w.format(n)
		}
		if n.Op == token.AND && isCondition(n.X) && isCondition(n.Y) {
			w.addAt(n.OpPos, Doubtful, "a & b unifies two values, which differ if one condition is false; write a && b")
		}
		if n.Op == token.EQL || n.Op == token.NEQ {
			w.equality(n.X, n.Y)
			w.equality(n.Y, n.X)
		}
		if !w.checked[n] {
			w.operands(n, Doubtful)
		}
	case *ast.UnaryExpr:
		if isOrder(n.Op) {
			w.check(n.X)
		}
	case *ast.CallExpr:
		w.contains(n)
	case *ast.SelectorExpr:
		w.field(n.X, n.Sel)
	case *ast.IndexExpr:
		if name, ok := n.Index.(*ast.BasicLit); ok && name.Kind == token.STRING {
			w.field(n.X, name)
		}
	}
	return true
}

// check adds a warning if x, an operand of an order, is the text of a quantity, a time, a
// duration or a version, and reports whether it has.
func (w *warner) check(x ast.Expr) bool {
	text, ok := stringLiteral(x)
	if !ok || isBytes(x) {
		return false
	}
	before := len(w.Findings)
	_, err := time.ParseDuration(text)
	isDuration, isQuantity := err == nil, w.quantity.MatchString(text)
	switch {
	case isQuantity && isDuration && text != "0":
		w.add(x, Doubtful, `texts are compared letter by letter, so that "5m" is more than "10m"; compare quantities: quantity(…) > quantity(%[1]q), or durations: time.ParseDuration(…) > time.ParseDuration(%[1]q)`, text)
	case isQuantity:
		w.add(x, Doubtful, `texts are compared letter by letter, so that "5Gi" is more than "10Gi"; compare quantities: quantity(…) > quantity(%q)`, text)
	case isDuration:
		w.add(x, Doubtful, `texts are compared letter by letter, so that "5s" is more than "10s"; compare durations: time.ParseDuration(…) > time.ParseDuration(%q)`, text)
	case isTime(text):
		w.add(x, Doubtful, "texts are compared letter by letter, without regard to time zones; compare times: timestamp(…) > timestamp(%q)", text)
	case w.version.MatchString(text):
		w.add(x, Doubtful, `texts are compared letter by letter, so that "1.9.0" is more than "1.10.0"; compare versions: version(…) > version(%q)`, text)
	}
	return len(w.Findings) > before
}

// format adds a warning if an operand of an order is a text with an order of its own.
func (w *warner) format(x *ast.BinaryExpr) {
	for _, operand := range []ast.Expr{x.X, x.Y} {
		switch w.types.Of(operand).Format {
		case datatype.Quantity:
			w.add(x, Doubtful, "%s is a quantity, a text such as \"500m\" or \"10Gi\"; compare quantities: quantity(%s) %s quantity(%s)", Excerpt(operand), Excerpt(x.X), x.Op, Excerpt(x.Y))
		case datatype.Time:
			w.add(x, Doubtful, "%s is a time, and texts are compared letter by letter; compare times: timestamp(%s) %s timestamp(%s)", Excerpt(operand), Excerpt(x.X), x.Op, Excerpt(x.Y))
		default:
			continue
		}
		return
	}
}

// constraints adds the warnings about constraints on context: data: ref: "main".
func (w *warner) constraints(context ast.Expr) {
	for name, f := range fieldsOf(context) {
		switch name {
		case "data", "old":
			if t, ok := w.context.Field(name); ok {
				w.constraint(f.Value, t, "context."+name, Impossible)
			}
		case "event":
			for inner, field := range fieldsOf(f.Value) {
				w.eventField(field.Label, inner)
				if text, ok := stringLiteral(field.Value); ok && inner == "type" {
					w.eventType(field.Value, text)
				}
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
		w.add(value, Doubtful, "== compares the whole text, in which no name has a *; a pattern is a regular expression: =~ %q", pattern)
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
	w.add(value, Doubtful, "no event of this source has the type %q%s; types: %s", text, diag.Suggest(text, w.form.Types), strings.Join(w.form.Types, ", "))
}

// field checks that a value of x may have a field.
func (w *warner) field(x ast.Expr, field ast.Label) {
	switch Excerpt(x) {
	case "context": // Parse reports it
	case "context.event":
		if name, ok := fieldName(field); ok {
			w.eventField(field, name)
		}
	default:
		w.dataChecker.field(x, field)
	}
}

// eventField adds a warning about a field that context.event never has.
func (w *warner) eventField(field ast.Node, name string) {
	if known := event.Fields(); !slices.Contains(known, name) {
		w.add(field, Doubtful, "no event has context.event.%s%s; fields: %s", name, diag.Suggest(name, known), strings.Join(known, ", "))
	}
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
func interpolationWarnings(text string) Findings {
	file, err := ParseSyntax(Filename, text)
	if err != nil {
		return nil // ParseComputed reports it
	}
	var w Findings
	ast.Walk(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok {
			text, _ := stringLiteral(lit)
			if strings.Contains(text, "{{") || strings.Contains(text, "${context") || strings.Contains(text, "$(context") {
				w.add(lit, Doubtful, `a text in CUE is sent as it is; to put a value into it, write "\(context.data.metadata.name)"`)
			}
		}
		return true
	}, nil)
	return w
}
