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
	"encoding/xml"
	"fmt"
	"strings"
)

// Measures of the drawing, in pixels.
const (
	nodeHeight    = 30
	rowHeight     = 56
	columnGap     = 150
	margin        = 20
	characterSize = 7.2
	maxCharacters = 46
)

// box is where a node is drawn.
type box struct {
	Node
	label       string
	x, y, width float64
}

// SVG returns the graph as a drawing: what is watched at the left, then the triggers, then what
// they write. A write that may be an event of a trigger is a dashed line back to it.
func (g Graph) SVG() string {
	boxes, width, height := g.layout()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="monospace" font-size="12">`+"\n", width, height, width, height)
	b.WriteString(`<defs><marker id="arrow" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="8" markerHeight="8" orient="auto"><path d="M0,0 L10,5 L0,10 z"/></marker></defs>` + "\n")
	fmt.Fprintf(&b, `<rect width="%.0f" height="%.0f" fill="white"/>`+"\n", width, height)
	for _, e := range g.Edges {
		writeEdge(&b, e, boxes[e.From], boxes[e.To])
	}
	for _, n := range g.Nodes {
		writeBox(&b, boxes[n.ID])
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// layout places the nodes in a column for each type, and returns the size of the drawing.
func (g Graph) layout() (boxes map[string]box, width, height float64) {
	boxes = map[string]box{}
	x := float64(margin)
	for _, t := range []NodeType{SourceNode, TriggerNode, ObjectNode} {
		y, columnWidth := float64(margin), 0.0
		var column []string
		for _, n := range g.Nodes {
			if n.Type != t {
				continue
			}
			label := n.Text
			if runes := []rune(label); len(runes) > maxCharacters {
				label = string(runes[:maxCharacters-1]) + "…"
			}
			w := float64(len([]rune(label)))*characterSize + 20
			boxes[n.ID] = box{n, label, x, y, w}
			column = append(column, n.ID)
			columnWidth, y = max(columnWidth, w), y+rowHeight
		}
		for _, id := range column {
			b := boxes[id]
			b.width = columnWidth
			boxes[id] = b
		}
		if len(column) > 0 {
			x += columnWidth + columnGap
		}
		height = max(height, y)
	}
	return boxes, max(x-columnGap+margin, 2*margin), height
}

// writeEdge draws an edge between columns: from the upper right of a box to the left of another
// one, or from the lower left of a box back to the right of another one.
func writeEdge(b *strings.Builder, e Edge, from, to box) {
	const bend, upper, lower = columnGap / 2, nodeHeight / 3, nodeHeight * 2 / 3
	x1, y1, x2, y2 := from.x+from.width, from.y+upper, to.x, to.y+nodeHeight/2
	text, style, turn := e.Text, ` stroke="#555"`, float64(bend)
	if from.x > to.x {
		x1, y1, x2, y2 = from.x, from.y+lower, to.x+to.width, to.y+lower
		text, style, turn = "", ` stroke="#b06000"`, -bend
	}
	if e.isPossible() {
		style += ` stroke-dasharray="5 4"`
	}
	fmt.Fprintf(b, `<path d="M%.0f,%.0f C%.0f,%.0f %.0f,%.0f %.0f,%.0f" fill="none"%s marker-end="url(#arrow)"/>`+"\n", x1, y1, x1+turn, y1, x2-turn, y2, x2, y2, style)
	if text != "" {
		fmt.Fprintf(b, `<text x="%.0f" y="%.0f" text-anchor="middle" fill="#555" font-size="10">%s</text>`+"\n", (x1+x2)/2, (y1+y2)/2-4, escape(text))
	}
}

func writeBox(b *strings.Builder, n box) {
	fill, radius := map[NodeType]string{SourceNode: "#e8f0fe", TriggerNode: "#fff3d6", ObjectNode: "#e6f4ea"}[n.Type], 4
	if n.Type == ObjectNode {
		radius = nodeHeight / 2
	}
	fmt.Fprintf(b, `<g><title>%s</title><rect x="%.0f" y="%.0f" width="%.0f" height="%d" rx="%d" fill="%s" stroke="#333"/>`, escape(n.Text), n.x, n.y, n.width, nodeHeight, radius, fill)
	fmt.Fprintf(b, `<text x="%.0f" y="%.0f" text-anchor="middle">%s</text></g>`+"\n", n.x+n.width/2, n.y+nodeHeight/2+4, escape(n.label))
}

// escape returns text for XML.
func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder returns no errors
	return b.String()
}
