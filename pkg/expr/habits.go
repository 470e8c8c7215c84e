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
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/scanner"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/diag"
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

// isInfix reports whether word is an operator of another expression language.
func isInfix(word string) bool {
	return slices.Contains([]string{"in", "contains", "startsWith", "endsWith", "matches", "and", "or", "not"}, word)
}

// syntaxHints adds to the syntax errors in text what is likely meant.
func syntaxHints(list diag.List, text string) diag.List {
	for i, d := range list {
		if hint := syntaxHint(text, d.Line, d.Column); hint != "" {
			list[i].Message += "; " + hint
		}
	}
	return list
}

// syntaxHint returns what is likely meant by the tokens around a syntax error, or "".
func syntaxHint(text string, line, column int) string {
	var s scanner.Scanner
	s.Init(token.NewFile("", -1, len(text)), []byte(text), func(token.Pos, string, []any) {}, 0)
	previous := ""
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return ""
		}
		at := pos.Position()
		if at.Line > line || at.Line == line && at.Column >= column {
			hint := tokenHint(tok, lit)
			if hint == "" && (isInfix(previous) || strings.HasPrefix(previous, "#")) {
				hint = tokenHint(token.IDENT, previous)
			}
			return hint
		}
		previous = lit
	}
}

// tokenHint returns what is likely meant by the token at a syntax error, or "".
func tokenHint(tok token.Token, lit string) string {
	switch {
	case tok == token.LAND || tok == token.LOR:
		return "write " + tok.String() + " at the end of the line before"
	case tok == token.BIND || lit == "=":
		return "equality is =="
	case tok == token.OPTION || lit == "?":
		return "CUE has no ?:; write condition && a || !condition && b"
	case tok == token.IN:
		return "in CUE: " + equivalent("in")
	case tok == token.IDENT && isInfix(lit):
		return "in CUE: " + equivalent(lit)
	case strings.HasPrefix(lit, "#"):
		return "comments begin with //"
	case lit == "%":
		return "the remainder is mod(a, b)"
	case tok == token.ILLEGAL && strings.ContainsAny(lit, "“”„‘’«»"):
		return `texts are in straight double quotes: "…"`
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
