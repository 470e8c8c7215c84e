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

package expr_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator generates files of random constraints and expressions about the fields of
// events.
type generator struct{ *rand.Rand }

func (g *generator) oneOf(values ...string) string { return values[g.IntN(len(values))] }

func (g *generator) file() string {
	var b strings.Builder
	for i := range 1 + g.IntN(3) {
		switch g.IntN(3) {
		case 0:
			fmt.Fprintf(&b, "context: %s\n", g.constraint(3))
		case 1:
			fmt.Fprintf(&b, "let l%d = %s\nv%d: l%d\n", i, g.reference(), i, i)
		default:
			fmt.Fprintf(&b, "o%d: %s\n", i, g.expression(3))
		}
	}
	return b.String()
}

func (g *generator) field() string {
	return g.oneOf("data", "data", "data", "event", "old", "kind", "n", "m", "l", "app", "items", "s", "r", "name", "type", `"a/b"`)
}

func (g *generator) reference() string {
	s := g.oneOf("context", "context.data", "context.data.m", "context.data.kind", "context.data.s.n", "context.event.type", "context.old", "context.data.items")
	for range g.IntN(3) {
		switch g.IntN(8) {
		case 0:
			s += g.oneOf("[0]", `["n"]`, `["l"]`, "[context.data.kind]", "[0:1]")
		case 1:
			s = "(" + s + ")"
		default:
			s += "." + g.field()
		}
	}
	return s
}

func (g *generator) expression(depth int) string {
	if depth == 0 {
		return g.oneOf(g.reference(), g.reference(), `"web"`, "1", "_|_")
	}
	x, y := g.expression(depth-1), g.expression(depth-1)
	switch g.IntN(9) {
	case 0:
		return fmt.Sprintf("len(%s)", g.reference())
	case 1:
		return fmt.Sprintf("[for k, v in %s {v}]", g.reference())
	case 2:
		return fmt.Sprintf("{if %s == %s {a: %s}}", x, y, g.reference())
	case 3:
		return fmt.Sprintf("[%s, %s][%s]", x, y, g.oneOf("0", "1", g.reference()))
	case 4:
		return g.reference()
	case 5:
		return fmt.Sprintf("*%s | %s", g.reference(), g.oneOf("1", `"none"`))
	default:
		return fmt.Sprintf("(%s) %s (%s)", x, g.oneOf("==", "!=", "&&", "||", "&", "|", "+", "<"), y)
	}
}

func (g *generator) constraint(depth int) string {
	if depth == 0 || g.IntN(5) == 0 {
		// No bounds such as >1: with a struct that refers to itself they overflow the
		// stack of CUE v0.14.1, which cannot be recovered from.
		return g.oneOf("_", "string", "{...}", "int", `"Pod" | "web"`, `"Pod"`, g.reference(), "{}", "close({n: _})")
	}
	var members []string
	for range 1 + g.IntN(3) {
		value := g.constraint(depth - 1)
		members = append(members, g.oneOf(
			g.field()+": "+value,
			g.field()+": "+value,
			g.field()+"?: "+value,
			"[string]: _",
			"("+g.oneOf(`"n"`, "context.data.kind")+"): "+g.oneOf("_", "1"),
			"_h: "+g.reference(),
			"#d: "+value,
			g.field()+": "+g.oneOf("data", "kind", "n", "m")+".n",
			fmt.Sprintf("if %s != _|_ {%s: %s}", g.reference(), g.field(), value),
			fmt.Sprintf("A%d=n: _, r: A%[1]d", g.IntN(1e9)),
			"{"+g.field()+": "+value+"}",
		))
	}
	return "{" + strings.Join(members, ", ") + "}"
}
