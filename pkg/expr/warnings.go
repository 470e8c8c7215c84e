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
	"regexp"
	"time"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/diag"
)

// Warnings returns what is valid in a filter expression, and probably not meant:
// quantities, times, durations and versions that are ordered as texts, letter by letter.
func Warnings(text string) diag.List {
	file, err := parser.ParseFile(Filename, text)
	if err != nil {
		return nil //nolint:nilerr // Parse reports it
	}
	w := warner{
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
		case *ast.UnaryExpr:
			if isOrder(n.Op) {
				w.check(n.X)
			}
		}
		return true
	}, nil)
	return w.list
}

type warner struct {
	diagnostics
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
