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
	decide(e *evaluation) (outcome, error)
}

type conjunction []condition

func (c conjunction) decide(e *evaluation) (outcome, error) {
	for _, part := range c {
		if o, err := part.decide(e); err != nil || !o.Match {
			return o, err
		}
	}
	return outcome{Verdict: Verdict{Match: true}}, nil
}

type disjunction struct {
	parts  []condition
	source string
}

func (d disjunction) decide(e *evaluation) (outcome, error) {
	var first outcome
	all := true
	for i, part := range d.parts {
		o, err := part.decide(e)
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
	references []reference
	program    program
	// strict says that the leaf cannot be true unless the event has all that it
	// refers to.
	strict bool
	// quick answers without CUE, where it can.
	quick quick
}

func (l *leaf) decide(e *evaluation) (outcome, error) {
	if l.strict {
		if o, ok := l.absent(e); ok {
			return o, nil
		}
	}
	if l.quick != nil {
		if answer, ok := l.quick(e.context); ok {
			return l.answer(answer), nil
		}
	}
	v, err := e.result(l.program.index, l.program.pick(e.context))
	if err != nil {
		return outcome{}, err
	}
	v = v.LookupPath(resultPath())
	if err := v.Err(); err != nil {
		if o, ok := l.absent(e); ok {
			return o, nil
		}
		if l.misfit(e) {
			return outcome{}, l.errorf("an operand is of the wrong type")
		}
		if incomplete := v.Validate() == nil; incomplete {
			return outcome{absent: true, Verdict: Verdict{Reason: l.source + " refers to what is absent"}}, nil
		}
		return outcome{}, l.failure(err)
	}
	answer, err := v.Bool()
	if err != nil {
		return outcome{}, l.errorf("is neither true nor false")
	}
	return l.answer(answer), nil
}

// absent returns the outcome for the first path that the event lacks, if any.
func (l *leaf) absent(e *evaluation) (outcome, bool) {
	for _, r := range l.references {
		if _, p := r.in(e.context); p == absent {
			return outcome{absent: true, Verdict: missing(r.String())}, true
		}
	}
	return outcome{}, false
}

// misfit reports whether a path leads into something that has no such parts.
func (l *leaf) misfit(e *evaluation) bool {
	return slices.ContainsFunc(l.references, func(r reference) bool {
		_, p := r.in(e.context)
		return p == misfit
	})
}

func (l *leaf) answer(yes bool) outcome {
	if yes {
		return outcome{Verdict: Verdict{Match: true}}
	}
	v := Verdict{Reason: l.source + " is false"}
	if len(l.references) == 1 && !l.references[0].computed {
		v.Path = l.references[0].String()
	}
	return outcome{Verdict: v}
}

func missing(path string) Verdict {
	return Verdict{Path: path, Reason: path + " is absent"}
}

// newCondition splits x at its && and ||, and appends its leaves to leaves.
func (s *source) newCondition(x ast.Expr, leaves *[]*leaf) condition {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return s.newCondition(x.X, leaves)
	case *ast.BinaryExpr:
		switch x.Op {
		case token.LAND:
			return conjunction{s.newCondition(x.X, leaves), s.newCondition(x.Y, leaves)}
		case token.LOR:
			parts := []condition{s.newCondition(x.X, leaves), s.newCondition(x.Y, leaves)}
			return disjunction{parts, excerpt(x)}
		}
	}
	l := &leaf{
		source:     excerpt(x),
		line:       x.Pos().Line(),
		column:     x.Pos().Column(),
		references: s.references(x),
		strict:     s.strict(x),
		quick:      s.newQuick(x),
	}
	*leaves = append(*leaves, l)
	return l
}

// strict reports whether x is incomplete wherever the event lacks something
// that it refers to.
func (s *source) strict(x ast.Expr) bool {
	if r, ok := s.reference(x); ok {
		return !r.computed
	}
	switch x := x.(type) {
	case *ast.ParenExpr:
		return s.strict(x.X)
	case *ast.BasicLit:
		return true
	case *ast.UnaryExpr:
		return x.Op == token.NOT && s.strict(x.X)
	case *ast.BinaryExpr:
		switch x.Op {
		case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ, token.MAT, token.NMAT,
			token.ADD, token.SUB, token.MUL, token.QUO:
			return s.strict(x.X) && s.strict(x.Y)
		}
	case *ast.CallExpr:
		for _, arg := range x.Args {
			if !s.strict(arg) {
				return false
			}
		}
		return s.known(x.Fun)
	}
	return false
}

// known reports whether fun is a function that wants complete arguments.
func (s *source) known(fun ast.Expr) bool {
	switch fun := fun.(type) {
	case *ast.Ident:
		return fun.Name == "len"
	case *ast.SelectorExpr:
		pkg, ok := fun.X.(*ast.Ident)
		return ok && s.imports[pkg.Name] == "strings"
	}
	return false
}

// excerpt returns the text of x on one line, shortened.
func excerpt(x ast.Node) string {
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
