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
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator generates random filters and events.
type generator struct{ *rand.Rand }

func (g *generator) oneOf(values ...string) string { return values[g.IntN(len(values))] }

// event returns fields a to e with values of random kinds. Its strings contain
// "canary".
func (g *generator) event(base int) map[string]any {
	values := []any{
		"canary", "canary-2", int64(3), int64(0), 3.0, 2.5, true, false, nil,
		[]any{int64(1), "canary"}, []any{}, map[string]any{"canary": int64(1)},
		[]any{map[string]any{"b": int64(3), "c": "canary"}, map[string]any{"b": int64(3)}},
		map[string]any{"a": int64(3), "b": "canary", "c": map[string]any{"d": true}},
	}
	out := map[string]any{}
	for i, name := range []string{"a", "b", "c", "d", "e"} {
		if i < base || g.IntN(5) > 0 {
			out[name] = values[g.IntN(len(values))]
		}
	}
	out["s"] = map[string]any{"a": values[g.IntN(len(values))], "b": int64(3), "c": "canary", "l": []any{int64(3)}}
	return out
}

func (g *generator) path() string {
	s := g.oneOf("context.data", "context.data", "context.data.s", "context.old")
	for range 1 + g.IntN(2) {
		s += "." + g.oneOf("a", "b", "c", "d", "e", "s")
	}
	return s + g.oneOf("", "", "", "", "[0]", `["b"]`, "[context.data.a]")
}

func (g *generator) filter() string {
	if g.IntN(2) == 0 {
		return "import \"strings\"\n_used: strings.ToLower(\"X\")\n" + g.condition(2)
	}
	return "context: " + g.constraint(3)
}

func (g *generator) operand() string {
	switch g.IntN(8) {
	case 0:
		return g.oneOf("3", "0", `"x"`, "true", "null", "2.5", "-1", "3.0")
	case 1:
		return "len(" + g.path() + ")"
	case 2:
		return fmt.Sprintf("(%s + %s)", g.path(), g.oneOf("1", `"x"`, g.path()))
	}
	return g.path()
}

func (g *generator) condition(depth int) string {
	if depth > 0 && g.IntN(2) == 0 {
		x, y := g.condition(depth-1), g.condition(depth-1)
		return g.oneOf(fmt.Sprintf("%s && %s", x, y), fmt.Sprintf("(%s || %s)", x, y), fmt.Sprintf("!(%s)", x))
	}
	switch g.IntN(8) {
	case 0:
		return g.path()
	case 1:
		return "!" + g.path()
	case 2:
		return g.path() + g.oneOf(" == _|_", " != _|_")
	case 3:
		return g.path() + g.oneOf(` =~ "^c"`, ` !~ "x$"`)
	case 4:
		return fmt.Sprintf("strings.%s(%s, %s)", g.oneOf("HasPrefix", "HasSuffix", "Contains"), g.path(), g.oneOf(`"c"`, `"x"`, g.path()))
	}
	return fmt.Sprintf("%s %s %s", g.operand(), g.oneOf("==", "==", "!=", "<", "<=", ">", ">="), g.operand())
}

func (g *generator) constraint(depth int) string {
	if depth == 3 {
		return "{data: " + g.constraint(2) + "}"
	}
	if depth == 0 || g.IntN(4) == 0 {
		return g.oneOf("3", `"x"`, "true", "null", "_", "string", "int", "bool", "number", ">2", "<=3", "!=0", `=~"^c"`, `!~"x"`, `!="x"`, "int | string",
			`"x" | 3`, "*3 | int", "int & >1", "[...int]", "[...{b: 3}]", "[_, ...]", "[int, string]", "[]", "{}", "{...}", "context.data.b", "3.0", "[...{b: 3, c?: string}]", "null | string")
	}
	var members []string
	for range 1 + g.IntN(2) {
		members = append(members, g.oneOf("a", "b", "c", "d", "s", "s")+g.oneOf("", "", "", "?", "!")+": "+g.constraint(depth-1))
	}
	if g.IntN(8) == 0 {
		members = append(members, g.oneOf("[string]: _", "(context.data.a): _", "_h: 3", "{b: 3}", "if context.data.d {e: true}"))
	}
	return "{" + strings.Join(members, ", ") + "}"
}
