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
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr/gotemplate"
)

// Messages tells which properties of an action are message templates: those that the
// schema marks with `@text(PLACE)`, and those that the action executes itself, as
// `template.Execute(parameter.PATH, context)`. The zero value has none.
type Messages struct{ root *messageNode }

// Message is a property that is a message template.
type Message struct {
	// Path are the names of the fields, and "[0]" for elements of lists.
	Path []string
	// Source is the template; Default replaces a Source or an output that is blank. It
	// may be empty.
	Source, Default string
	Place           gotemplate.Place
	// From is the property that Source is written in, if it is another one.
	From string
	// Shared is set if only others, whose From it is, use the Source.
	Shared bool
}

// Name returns the path of the property that Source is written in: "to[0].message".
func (m Message) Name() string {
	name := m.From
	if name != "" {
		return name
	}
	for _, p := range m.Path {
		name = diag.Join(name, p)
	}
	return name
}

// IsComputed reports whether the Source is a text of computed properties, and so a value
// and not a template.
func (m Message) IsComputed(computed map[string]any) bool {
	path := m.Path
	if m.From != "" {
		path = []string{m.From}
	}
	var v any = computed
	for _, name := range path {
		switch container := v.(type) {
		case map[string]any:
			v = container[name]
		case []any:
			i, err := strconv.Atoi(strings.Trim(name, "[]"))
			if err != nil || i >= len(container) {
				return false
			}
			v = container[i]
		default:
			return false
		}
	}
	return v == m.Source
}

// Key identifies the property among those of an action.
func (m Message) Key() string { return strings.Join(m.Path, "\x00") }

// messageNode is the part of Messages at one value of the schema.
type messageNode struct {
	text *messageAttribute
	// fields are those with a fixed name; others is any other field.
	fields   map[string]*messageNode
	others   *messageNode
	elements *messageNode
	// alternatives are those of a disjunction. fixed has the values that a struct with
	// these fields must have, which tells alternatives apart.
	alternatives []*messageNode
	fixed        map[string]string
}

// messageAttribute is the attribute `@text(PLACE, default="…", from=NAME, by=PATH)` of a
// property: default replaces a blank text; without one, the text is that of the top-level
// property from; the property at by, beside this one, selects the variant of the place.
type messageAttribute struct{ place, fallback, from, by string }

// Empty reports whether no property is a message template.
func (m Messages) Empty() bool { return !m.root.hasText() }

func (n *messageNode) hasText() bool {
	if n == nil {
		return false
	}
	for _, field := range n.fields {
		if field.hasText() {
			return true
		}
	}
	return n.text != nil || n.others.hasText() || n.elements.hasText() || slices.ContainsFunc(n.alternatives, (*messageNode).hasText)
}

// Of returns the message templates in properties that have a text or a default.
func (m Messages) Of(properties map[string]any) []Message {
	w := messageWalker{root: properties}
	w.walk(m.root, properties, nil, nil)
	return w.messages
}

// Replace returns properties with the texts that replace returns for message templates.
// properties are not modified.
func (m Messages) Replace(properties map[string]any, replace func(Message) string) map[string]any {
	w := messageWalker{root: properties, replace: replace}
	out, _ := w.walk(m.root, properties, nil, nil).(map[string]any)
	return out
}

// messageWalker walks properties along their schema.
type messageWalker struct {
	root     map[string]any
	messages []Message
	replace  func(Message) string
	// others are called with the strings that are no message templates.
	others func(path []string, text string)
}

func (w *messageWalker) walk(n *messageNode, v any, parent map[string]any, path []string) any {
	n = n.branch(v)
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			out[name] = w.walk(n.field(name), v[name], v, append(slices.Clip(path), name))
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = w.walk(n.element(), e, parent, append(slices.Clip(path), fmt.Sprintf("[%d]", i)))
		}
		return out
	case string:
		return w.text(n, v, parent, path)
	}
	return v
}

func (w *messageWalker) text(n *messageNode, text string, parent map[string]any, path []string) any {
	attribute := n.attribute()
	if attribute == nil {
		if w.others != nil {
			w.others(path, text)
		}
		return text
	}
	from := ""
	if text == "" && attribute.from != "" {
		if text, _ = w.root[attribute.from].(string); text != "" {
			from = attribute.from
		}
	}
	if text == "" {
		text = attribute.fallback
	}
	if text == "" {
		return ""
	}
	place, _ := attribute.variant(propertyText(parent, attribute.by))
	if attribute.place == bodyPlace && propertyText(parent, attribute.by) == "" && looksLikeJSON(text) {
		place = gotemplate.JSON
	}
	m := Message{Path: path, Source: text, Default: attribute.fallback, Place: place, From: from, Shared: attribute.place == sharedPlace}
	w.messages = append(w.messages, m)
	if w.replace == nil || m.Shared {
		return text
	}
	return w.replace(m)
}

// looksLikeJSON reports whether a template without a content type is a JSON object, a list
// of objects or texts, or a list that is JSON with a number for each action.
func looksLikeJSON(text string) bool {
	if strings.HasPrefix(strings.TrimSpace(text), "[") && json.Valid([]byte(withZeros(text))) {
		return true
	}
	text = strings.Map(func(r rune) rune {
		if r == ' ' || r == '\n' || r == '\t' || r == '\r' {
			return -1
		}
		return r
	}, text)
	text, isList := strings.CutPrefix(withoutActions(text), "[")
	if isList {
		text = withoutActions(text)
	}
	return strings.HasPrefix(text, "{") || isList && strings.HasPrefix(text, `"`)
}

// withZeros returns text with 0 for each action.
func withZeros(text string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('0')
		_, text, _ = strings.Cut(rest, "}}")
	}
}

// withoutActions returns text without the actions that it begins with.
func withoutActions(text string) string {
	for strings.HasPrefix(text, "{{") {
		_, rest, ok := strings.Cut(text, "}}")
		if !ok {
			return ""
		}
		text = rest
	}
	return text
}

// propertyText returns the text of the property at a path of names below parent. Case
// does not matter, as in names of headers.
func propertyText(parent map[string]any, path string) string {
	if path == "" {
		return ""
	}
	name, rest, nested := strings.Cut(path, ".")
	for key, value := range parent {
		if !strings.EqualFold(key, name) {
			continue
		}
		if nested {
			inner, _ := value.(map[string]any)
			return propertyText(inner, rest)
		}
		text, _ := value.(string)
		return text
	}
	return ""
}

// branch returns the alternative of n that v may match, or n.
func (n *messageNode) branch(v any) *messageNode {
	if n == nil {
		return nil
	}
	for _, a := range n.alternatives {
		if b := a.branch(v); b.matches(v) {
			return b
		}
	}
	return n
}

func (n *messageNode) matches(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for name, want := range n.fixed {
			if got, ok := v[name]; ok && got != want {
				return false
			}
		}
		return n.fields != nil
	case []any:
		return n.elements != nil
	}
	return n.text != nil
}

func (n *messageNode) field(name string) *messageNode {
	if n == nil {
		return nil
	}
	if f := n.fields[name]; f != nil {
		return f
	}
	return n.others
}

func (n *messageNode) element() *messageNode {
	if n == nil {
		return nil
	}
	return n.elements
}

func (n *messageNode) attribute() *messageAttribute {
	if n == nil {
		return nil
	}
	return n.text
}

// Data returns the paths of the properties that contain `{{` and are not message
// templates.
func (m Messages) Data(properties map[string]any) []Message {
	var data []Message
	w := messageWalker{root: properties, others: func(path []string, text string) {
		if strings.Contains(text, "{{") {
			data = append(data, Message{Path: path, Source: text})
		}
	}}
	w.walk(m.root, properties, nil, nil)
	return data
}

// selectorPath returns the identifier at the start of x, and the names of its
// selectors.
func selectorPath(x ast.Expr) (root string, path []string) {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name, nil
	case *ast.SelectorExpr:
		root, path = selectorPath(x.X)
		return root, append(path, LabelName(x.Sel))
	}
	return "", nil
}

// MessageField returns the name of the field with the output of a message template.
func MessageField(index int) string { return "$message" + strconv.Itoa(index) }

// ReplaceMessages replaces the texts in the CUE of a concrete parameter; texts has the
// new one for each Message.Key.
func ReplaceMessages(parameter ast.Expr, texts map[string]ast.Expr) {
	replaceMessages(parameter, "", texts)
}

func replaceMessages(x ast.Expr, key string, texts map[string]ast.Expr) ast.Expr {
	inner := func(name string) string {
		if key == "" {
			return name
		}
		return key + "\x00" + name
	}
	switch x := x.(type) {
	case *ast.StructLit:
		for _, d := range x.Elts {
			if f, ok := d.(*ast.Field); ok {
				f.Value = replaceMessages(f.Value, inner(LabelName(f.Label)), texts)
			}
		}
	case *ast.ListLit:
		for i, e := range x.Elts {
			x.Elts[i] = replaceMessages(e, inner(fmt.Sprintf("[%d]", i)), texts)
		}
	case *ast.BasicLit:
		if text := texts[key]; text != nil && x.Kind == token.STRING {
			return text
		}
	}
	return x
}
