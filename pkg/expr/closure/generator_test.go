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

package closure_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// generator generates random expressions and objects.
type generator struct {
	*rand.Rand
	// variables are those of the loops around.
	variables []string
}

func (g *generator) oneOf(values ...string) string { return values[g.IntN(len(values))] }

// object returns fields a to d with random values, of which some fields and elements are missing.
func (g *generator) object() map[string]any {
	out := map[string]any{}
	for _, name := range []string{"a", "b", "c", "d"} {
		if g.IntN(6) > 0 {
			out[name] = g.value(2)
		}
	}
	return out
}

func (g *generator) value(depth int) any {
	if depth > 0 && g.IntN(3) == 0 {
		list := []any{}
		for range g.IntN(4) {
			list = append(list, g.value(depth-1))
		}
		if g.IntN(2) == 0 {
			return list
		}
		object := map[string]any{}
		for _, v := range list {
			object[g.oneOf("a", "b", "c", "x-y")] = v
		}
		return object
	}
	values := []any{
		"x", "x-y", "", "é", "1", "10Gi", "2026-01-02", "1h", int64(0), int64(1), int64(-3), int64(9007199254740993), 1.0, 2.5, -0.1, 1e30,
		json.Number("123456789012345678901234567890"), json.Number("1e-400"), true, false, nil,
	}
	return values[g.IntN(len(values))]
}

func (g *generator) literal() string {
	return g.oneOf("0", "1", "2", "-3", "1.0", "2.5", "1e3", `"x"`, `"x-y"`, `""`, `"é"`, "true", "false", "null", "[]", "[1, 2]", `{a: 1}`, "{}")
}

func (g *generator) path() string {
	p := "data." + g.oneOf("a", "b", "c", "d")
	if n := len(g.variables); n > 0 && g.IntN(2) == 0 {
		p = g.variables[g.IntN(n)]
	}
	for range g.IntN(3) {
		p += g.oneOf(".a", ".b", `["x-y"]`, "[0]", "[1]", "["+g.literal()+"]")
	}
	return p
}

// expression returns an expression of some kind.
func (g *generator) expression(depth int) string {
	if depth == 0 {
		if g.IntN(3) == 0 {
			return g.literal()
		}
		return g.path()
	}
	x, y := func() string { return g.expression(depth - 1) }, func() string { return g.expression(depth - 1) }
	switch g.IntN(16) {
	case 0, 1:
		return fmt.Sprintf("(%s %s %s)", x(), g.oneOf("==", "!=", "<", "<=", ">", ">="), y())
	case 2:
		return fmt.Sprintf("(%s %s %s)", x(), g.oneOf("+", "-", "*", "/"), y())
	case 3:
		return fmt.Sprintf("(%s %s %s)", x(), g.oneOf("&&", "||"), y())
	case 4:
		return g.oneOf("!", "-", "+") + x()
	case 5, 6:
		return fmt.Sprintf("(*%s | %s)", x(), y())
	case 7:
		return fmt.Sprintf("(%s %s _|_)", x(), g.oneOf("==", "!="))
	case 8:
		return fmt.Sprintf("(%s %s %q)", x(), g.oneOf("=~", "!~"), g.oneOf("^x", "y$", "", "é"))
	case 9:
		return "len(" + x() + ")"
	case 10:
		return g.list(depth)
	case 11:
		return fmt.Sprintf("%s[%s]", g.list(depth), g.oneOf("0", "1", x()))
	case 12:
		return fmt.Sprintf(`"%s\(%s)"`, g.oneOf("", "a"), x())
	case 13:
		return fmt.Sprintf("list.Contains(%s, %s)", g.oneOf(g.list(depth), x()), y())
	case 14:
		return g.call(x, y)
	}
	return g.structure(x, y)
}

func (g *generator) structure(x, y func() string) string {
	switch g.IntN(7) {
	case 6:
		return fmt.Sprintf("({a: %s, b: {x: %s}} & %s)%s", x(), y(), g.oneOf("{b: y: 1, c: 2}", "{a: "+y()+"}", x()), g.oneOf("", ".a", ".b.x"))
	case 0:
		return fmt.Sprintf("{a: %s, b: a, c: [a, b]}%s", x(), g.oneOf("", ".b", ".c"))
	case 1:
		return fmt.Sprintf("{b: {z: %s}, if %s {a: %s}, b: {y: 1}}", x(), y(), x())
	case 2:
		return fmt.Sprintf("{let w = %s, a: w, _h: %s, b: _h}", x(), y())
	case 3:
		return fmt.Sprintf("{for k, v in %s {(k): v}}", g.oneOf(g.path(), x()))
	case 4:
		return fmt.Sprintf("[for k, v in {b: %s, a: %s} {\"\\(k)\"}]", x(), y())
	}
	return fmt.Sprintf("{a: %s, b: %s}%s", x(), y(), g.oneOf("", ".a", ".b"))
}

func (g *generator) call(x, y func() string) string {
	switch g.IntN(7) {
	case 5:
		return fmt.Sprintf("json.Marshal(%s)", x())
	case 6:
		return fmt.Sprintf("list.%s(%s)", g.oneOf("Max", "Min", "Concat"), x())
	case 0:
		return fmt.Sprintf("strings.%s(%s, %s)", g.oneOf("HasPrefix", "Contains", "Split", "TrimPrefix", "Index", "Trim"), x(), y())
	case 1:
		return fmt.Sprintf("strings.%s(%s)", g.oneOf("ToUpper", "TrimSpace", "ToTitle", "Fields"), x())
	case 2:
		return fmt.Sprintf("%s(%s, %s)", g.oneOf("div", "mod", "quo", "rem"), x(), y())
	case 3:
		return fmt.Sprintf("%s(%s)", g.oneOf("quantity", "timestamp", "version", "time.ParseDuration", "strconv.Atoi"), x())
	}
	return fmt.Sprintf("regexp.%s(%q, %s)", g.oneOf("Match", "Find", "FindSubmatch"), g.oneOf("^x", "(x)(-)", "é"), x())
}

func (g *generator) list(depth int) string {
	var elements []string
	for range g.IntN(3) {
		switch g.IntN(3) {
		case 0:
			elements = append(elements, g.expression(depth-1))
		case 1:
			elements = append(elements, fmt.Sprintf("if %s {%s}", g.expression(depth-1), g.expression(depth-1)))
		default:
			elements = append(elements, g.loop(depth))
		}
	}
	return "[" + strings.Join(elements, ", ") + "]"
}

func (g *generator) loop(depth int) string {
	source := g.oneOf(g.path(), g.path(), g.expression(depth-1))
	outer := g.variables
	defer func() { g.variables = outer }()
	name := fmt.Sprintf("v%d", len(outer))
	clauses := fmt.Sprintf("for %s%s in %s", g.oneOf("", "", fmt.Sprintf("k%d, ", len(outer))), name, source)
	g.variables = append(slices.Clone(outer), name)
	if g.IntN(3) == 0 {
		clauses += fmt.Sprintf(" let w%d = %s", len(outer), g.expression(depth-1))
	}
	if g.IntN(2) == 0 {
		clauses += " if " + g.expression(depth-1)
	}
	return fmt.Sprintf("%s {%s}", clauses, g.expression(depth-1))
}

// Expressions of all forms, with objects of all kinds, have the values that they have in CUE.
func FuzzProgram_Generated(f *testing.F) {
	for seed := range uint64(400) {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) {
		g := &generator{Rand: rand.New(rand.NewPCG(a, b))}
		text, object := g.expression(1+g.IntN(3)), g.object()
		if result, difference := compare(text, object); result == different {
			t.Error(difference)
		}
	})
}
