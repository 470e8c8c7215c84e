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

package dataflow

import (
	"fmt"
	"strings"
)

// Lines returns the graph as text: for each trigger, what it watches, what it writes, and the
// triggers that this may wake.
func (g Graph) Lines() string {
	var b strings.Builder
	text := map[string]string{}
	for _, n := range g.Nodes {
		text[n.ID] = n.Text
	}
	for _, n := range g.Nodes {
		if n.Type != TriggerNode {
			continue
		}
		fmt.Fprintf(&b, "%s\n", n.Text)
		for _, e := range g.Edges {
			if e.To == n.ID && strings.HasPrefix(e.From, "source ") {
				fmt.Fprintf(&b, "  watches %s%s\n", text[e.From], inParentheses(e.Text))
			}
		}
		for _, e := range g.Edges {
			if e.From != n.ID {
				continue
			}
			fmt.Fprintf(&b, "  writes %s%s\n", text[e.To], inParentheses(e.Text))
			for _, next := range g.Edges {
				if next.From == e.To {
					fmt.Fprintf(&b, "    %s %s\n", wakes(next), text[next.To])
				}
			}
		}
	}
	for _, c := range g.Cycles {
		state := "circle"
		if c.Allowed {
			state = "allowed circle"
		}
		fmt.Fprintf(&b, "%s: %s\n", state, c.Text())
	}
	return b.String()
}

func inParentheses(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

func wakes(e Edge) string {
	if e.Certain {
		return "wakes"
	}
	return "may wake"
}

// Dot returns the graph in the language of Graphviz.
func (g Graph) Dot() string {
	var b strings.Builder
	b.WriteString("digraph triggers {\n\trankdir=LR;\n\tnode [fontname=\"sans-serif\"];\n")
	for _, n := range g.Nodes {
		fmt.Fprintf(&b, "\t%s [label=%s, shape=%s];\n", quote(n.ID), quote(n.Text), dotShape(n.Type))
	}
	for _, e := range g.Edges {
		style := "solid"
		if e.isPossible() {
			style = "dashed"
		}
		fmt.Fprintf(&b, "\t%s -> %s [label=%s, style=%s];\n", quote(e.From), quote(e.To), quote(e.Text), style)
	}
	b.WriteString("}\n")
	return b.String()
}

// isPossible reports whether e leads from a write to a trigger, and is not certain.
func (e Edge) isPossible() bool { return strings.HasPrefix(e.From, "object ") && !e.Certain }

func dotShape(t NodeType) string {
	switch t {
	case TriggerNode:
		return "box"
	case SourceNode:
		return "cds"
	}
	return "ellipse"
}

// quote returns text as a string of the language of Graphviz.
func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", " ").Replace(text) + `"`
}
