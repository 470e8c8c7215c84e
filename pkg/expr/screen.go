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

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// Screen is a leaf of a condition that is so cheap that it can be asked for each event of each
// trigger: a field of `context.data` that has to have a text, or has to exist.
type Screen struct {
	path []string
	// text is what the field has to be equal to; with exists, it has to be there.
	text   string
	exists bool
}

// Screen returns the leaf as a Screen, or false if it is something else.
func (c *Condition) Screen() (Screen, bool) {
	x, ok := c.Expr.(*ast.BinaryExpr)
	if !ok || len(c.Parts) > 0 || c.negated {
		return Screen{}, false
	}
	path, ok := staticPath(x.X)
	if !ok || len(path) < 3 || path[0] != "context" || path[1] != "data" || slices.Contains(path, "") {
		return Screen{}, false
	}
	path = path[2:]
	text, isText := stringLiteral(x.Y)
	_, isBottom := x.Y.(*ast.BottomLit)
	switch {
	case x.Op == token.EQL && isText:
		return Screen{path: path, text: text}, true
	case x.Op == token.NEQ && isBottom:
		return Screen{path: path, exists: true}, true
	}
	return Screen{}, false
}

// Evaluate returns whether the leaf holds for an event with data. It is not known where that depends
// on more: a field on the way that is absent where a text is expected, null, or of another kind.
func (s Screen) Evaluate(data map[string]any) (holds, known bool) {
	for i, name := range s.path {
		value, ok := data[name]
		if !ok {
			return false, s.exists
		}
		if i < len(s.path)-1 {
			if data, ok = value.(map[string]any); !ok {
				return false, false
			}
			continue
		}
		if s.exists {
			return true, value != nil
		}
		text, isText := value.(string)
		return text == s.text, isText
	}
	return false, false
}
