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
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/scanner"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// equivalent returns how CUE says what word, a function or an operator of another
// expression language (CEL, expr, jq, JavaScript), means; "" for any other word.
func equivalent(word string) string {
	switch strings.ToLower(word) {
	case "in":
		return "list.Contains(list, value)"
	case "contains", "includes", "indexof":
		return "strings.Contains(text, part) or list.Contains(list, value)"
	case "startswith", "hasprefix":
		return "strings.HasPrefix(text, start)"
	case "endswith", "hassuffix":
		return "strings.HasSuffix(text, end)"
	case "matches", "match", "test":
		return `text =~ "expression"`
	case "size", "length", "count":
		return "len(value)"
	case "has", "defined":
		return "value != _|_"
	case "exists", "any", "some":
		return "or([for x in list {condition}])"
	case "all", "every":
		return "and([for x in list {condition}])"
	case "filter", "map", "select":
		return "[for x in list if condition {x}]"
	case "lower", "tolower", "tolowercase", "lowerascii", "ascii_downcase":
		return "strings.ToLower(text)"
	case "upper", "toupper", "touppercase", "upperascii", "ascii_upcase":
		return "strings.ToUpper(text)"
	case "trim", "trimspace":
		return "strings.TrimSpace(text)"
	case "split":
		return `strings.Split(text, ",")`
	case "tonumber", "parseint", "atoi", "double":
		return "strconv.Atoi(text)"
	case "duration":
		return "time.ParseDuration(text)"
	case "now":
		return "timestamp(context.timestamp)"
	case "nil", "none", "undefined":
		return "null, or _|_ for what is absent"
	case "true", "false":
		return strings.ToLower(word)
	case "and":
		return "&&"
	case "or":
		return "||"
	case "not":
		return "!"
	}
	return ""
}

// pathOf returns the path below context of what other tools call name; "" for any
// other name.
func pathOf(name string) string {
	switch name {
	case "$", "root":
		return "context"
	case "object", "obj", "resource", "request", "payload", "input":
		return "context.data"
	case "oldObject", "oldObj":
		return "context.old"
	case "body", "headers", "query", "metadata", "spec", "status", "kind", "apiVersion":
		return "context.data." + name
	}
	if slices.Contains(event.ContextFields(), name) {
		return "context." + name
	}
	return ""
}

// isInfix reports whether word is an operator of another expression language.
func isInfix(word string) bool {
	return slices.Contains([]string{"in", "contains", "startsWith", "endsWith", "matches", "and", "or", "not"}, word)
}

// syntaxHints adds to the syntax errors in text what is likely meant. Errors that follow from one with a
// hint, on the same line, are left out.
func syntaxHints(list diag.List, text string) diag.List {
	var out diag.List
	explained := 0
	for _, d := range list {
		hint := syntaxHint(text, d.Line, d.Column)
		if hint == "" && d.Line > 0 && d.Line == explained {
			continue
		}
		if hint != "" {
			d.Message += "; " + hint
			explained = d.Line
		}
		out = append(out, d)
	}
	return out
}

// syntaxHint returns what is likely meant by the tokens around a syntax error, or "".
func syntaxHint(text string, line, column int) string {
	if isGoTemplate(text) {
		return "this is CUE, without {{ and }}"
	}
	var s scanner.Scanner
	s.Init(token.NewFile("", -1, len(text)), []byte(text), func(token.Pos, string, []any) {}, 0)
	var previous lexeme
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return ""
		}
		here := lexeme{tok, lit}
		if at := pos.Position(); at.Line > line || at.Line == line && at.Column >= column {
			return cmp.Or(here.hintAfter(previous), here.hint(), previous.operatorHint())
		}
		previous = here
	}
}

// isGoTemplate reports whether a text is likely a Go template.
func isGoTemplate(text string) bool { return strings.HasPrefix(strings.TrimSpace(text), "{{") }

// lexeme is a token with its text.
type lexeme struct {
	tok token.Token
	lit string
}

// hintAfter returns what is likely meant by l after another token, or "".
func (l lexeme) hintAfter(previous lexeme) string {
	switch {
	case l.tok == token.RBRACK && previous.tok == token.MUL:
		return "in CUE: [for x in list {x.name}]"
	case l.tok == token.OPTION && previous.tok == token.LBRACK:
		return "in CUE: [for x in list if condition {x}][0]"
	case l.tok == token.QUO && (previous.tok == token.MAT || previous.tok == token.NMAT):
		return `a regular expression is a text: =~ "^web"`
	}
	return ""
}

// hint returns what is likely meant by l at a syntax error, or "".
func (l lexeme) hint() string {
	switch {
	case l.tok == token.LAND || l.tok == token.LOR:
		return "write " + l.tok.String() + " at the end of the line before"
	case l.tok == token.BIND:
		return "equality is =="
	case l.tok == token.OPTION:
		return "CUE has no ?:; write condition && a || !condition && b"
	case l.tok == token.PERIOD:
		return "paths begin with context: context.data"
	case l.lit == "%":
		return "the remainder is mod(a, b)"
	case l.tok == token.ILLEGAL && strings.ContainsAny(l.lit, "“”„‘’«»"):
		return `texts are in straight double quotes: "…"`
	case l.tok == token.ILLEGAL && strings.ContainsAny(l.lit, "\u00a0\u2003\u200b\ufeff"):
		return "write a blank in its place"
	}
	return l.operatorHint()
}

// operatorHint returns what CUE has in place of l, an operator or a comment of another
// language, or "".
func (l lexeme) operatorHint() string {
	if strings.HasPrefix(l.lit, "#") {
		return "comments begin with //"
	}
	if l.tok == token.IN || l.tok == token.IDENT && isInfix(l.lit) {
		return "in CUE: " + equivalent(l.lit)
	}
	return ""
}

// method returns the selector of a call such as context.data.name.contains("x"). Values
// have no functions in CUE, only packages have.
func method(call *ast.CallExpr) *ast.SelectorExpr {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	if id, ok := sel.X.(*ast.Ident); ok {
		_, imported := id.Node.(*ast.ImportSpec)
		if imported || id.Node == nil && id.Name != "context" {
			return nil
		}
	}
	return sel
}

// methodMessage is the message about a method.
func methodMessage(sel *ast.SelectorExpr) string {
	name := LabelName(sel.Sel)
	if hint := equivalent(name); hint != "" {
		return "values have no functions; in CUE: " + hint
	}
	return "values have no functions such as " + name + "; those of CUE are in packages: strings.Contains(text, part)"
}

// CheckCalls returns the calls of functions of values in file, which CUE does not find
// before there is an event. The identifiers of file have to be resolved.
func CheckCalls(file *ast.File) diag.List {
	var list diag.List
	ast.Walk(file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if sel := method(call); sel != nil {
				list = append(list, diag.Diagnostic{Line: sel.Sel.Pos().Line(), Column: sel.Sel.Pos().Column(), Message: methodMessage(sel)})
			}
		}
		return true
	}, nil)
	return list
}
