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
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/token"
)

// outcome is the verdict of a part of a condition.
type outcome struct {
	Verdict
	// absent says that the part is not true because the event lacks something.
	absent bool
}

// condition is a part of a boolean expression: a leaf, or parts that && or ||
// join. A leaf without an answer, while the event lacks something that it refers
// to, is not true. Parts are asked in the order of the text, until one decides;
// an error in one that is asked is the error of the whole.
type condition interface {
	evaluate(e *evaluation) (outcome, error)
}

type conjunction []condition

func (c conjunction) evaluate(e *evaluation) (outcome, error) {
	for _, part := range c {
		if o, err := part.evaluate(e); err != nil || !o.Match {
			return o, err
		}
	}
	return outcome{Verdict: Verdict{Match: true}}, nil
}

type disjunction struct {
	parts  []condition
	source string
}

func (d disjunction) evaluate(e *evaluation) (outcome, error) {
	var first outcome
	all := true
	for i, part := range d.parts {
		o, err := part.evaluate(e)
		if err != nil || o.Match {
			return o, err
		}
		if i == 0 {
			first = o
		}
		all = all && o.absent
	}
	if all {
		return first, nil
	}
	return outcome{Verdict: Verdict{Reason: d.source + " is false"}}, nil
}

// leaf is a condition that is evaluated as a whole.
type leaf struct {
	source     string
	line       int
	column     int
	references []Reference
	program    Program
	// strict says that the leaf cannot be true unless the event has all that it
	// refers to.
	strict bool
	// fastPath answers without CUE, where it can.
	fastPath FastPath
}

func (l *leaf) evaluate(e *evaluation) (outcome, error) {
	if l.strict {
		if o, ok := l.firstAbsent(e); ok {
			return o, nil
		}
	}
	if l.fastPath != nil {
		if answer, ok := l.fastPath(e.context); ok {
			return l.outcome(answer), nil
		}
	}
	v, err := e.evaluate(l.program.Index, l.program.Select(e.context))
	if err != nil {
		return outcome{}, err
	}
	v = v.LookupPath(ResultPath())
	if err := v.Err(); err != nil {
		if o, ok := l.firstAbsent(e); ok {
			return o, nil
		}
		if l.typeMismatch(e) {
			return outcome{}, l.errorf("an operand is of the wrong type")
		}
		if incomplete := v.Validate() == nil; incomplete {
			return outcome{absent: true, Verdict: Verdict{Reason: l.source + " refers to what is absent"}}, nil
		}
		return outcome{}, l.evaluationError(err)
	}
	answer, err := v.Bool()
	if err != nil {
		return outcome{}, l.errorf("is neither true nor false")
	}
	return l.outcome(answer), nil
}

// firstAbsent returns the outcome for the first path that the event lacks, if any.
func (l *leaf) firstAbsent(e *evaluation) (outcome, bool) {
	for _, r := range l.references {
		if _, p := r.Lookup(e.context); p == Absent {
			return outcome{absent: true, Verdict: Missing(r.String())}, true
		}
	}
	return outcome{}, false
}

// typeMismatch reports whether a path leads into something that has no such parts.
func (l *leaf) typeMismatch(e *evaluation) bool {
	return slices.ContainsFunc(l.references, func(r Reference) bool {
		_, p := r.Lookup(e.context)
		return p == TypeMismatch
	})
}

func (l *leaf) outcome(yes bool) outcome {
	if yes {
		return outcome{Verdict: Verdict{Match: true}}
	}
	v := Verdict{Reason: l.source + " is false"}
	if len(l.references) == 1 && !l.references[0].Computed {
		v.Path = l.references[0].String()
	}
	return outcome{Verdict: v}
}

func Missing(path string) Verdict {
	return Verdict{Path: path, Reason: path + " is absent"}
}

// newCondition splits x at its && and ||, and appends its leaves to leaves.
func (s *Expression) newCondition(x ast.Expr, leaves *[]*leaf) condition {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return s.newCondition(x.X, leaves)
	case *ast.BinaryExpr:
		switch x.Op {
		case token.LAND:
			return conjunction{s.newCondition(x.X, leaves), s.newCondition(x.Y, leaves)}
		case token.LOR:
			parts := []condition{s.newCondition(x.X, leaves), s.newCondition(x.Y, leaves)}
			return disjunction{parts, Excerpt(x)}
		}
	}
	l := &leaf{
		source:     Excerpt(x),
		line:       x.Pos().Line(),
		column:     x.Pos().Column(),
		references: s.References(x),
		strict:     s.IsStrict(x),
		fastPath:   s.FastPath(x),
	}
	*leaves = append(*leaves, l)
	return l
}

// IsStrict reports whether x is incomplete wherever the event lacks something
// that it refers to.
func (s *Expression) IsStrict(x ast.Expr) bool {
	if r, ok := s.Reference(x); ok {
		return !r.Computed
	}
	switch x := x.(type) {
	case *ast.ParenExpr:
		return s.IsStrict(x.X)
	case *ast.BasicLit:
		return true
	case *ast.UnaryExpr:
		return x.Op == token.NOT && s.IsStrict(x.X)
	case *ast.BinaryExpr:
		switch x.Op {
		case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ, token.MAT, token.NMAT,
			token.ADD, token.SUB, token.MUL, token.QUO:
			return s.IsStrict(x.X) && s.IsStrict(x.Y)
		}
	case *ast.CallExpr:
		for _, arg := range x.Args {
			if !s.IsStrict(arg) {
				return false
			}
		}
		return s.isStrictFunction(x.Fun)
	}
	return false
}

// isStrictFunction reports whether fun is a function that wants complete arguments.
func (s *Expression) isStrictFunction(fun ast.Expr) bool {
	switch fun := fun.(type) {
	case *ast.Ident:
		return fun.Name == "len"
	case *ast.SelectorExpr:
		pkg, ok := fun.X.(*ast.Ident)
		return ok && s.imports[pkg.Name] == "strings"
	}
	return false
}

// Excerpt returns the text of x on one line, shortened.
func Excerpt(x ast.Node) string {
	const most = 120
	b, err := format.Node(x)
	if err != nil {
		return "the condition"
	}
	text := []rune(strings.Join(strings.Fields(string(b)), " "))
	if len(text) > most {
		text = append(text[:most-1], '…')
	}
	return string(text)
}
