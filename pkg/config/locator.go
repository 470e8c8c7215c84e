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

package config

import (
	"bytes"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"gopkg.in/yaml.v3"

	"github.com/kubevela/kube-trigger/pkg/diag"
)

// yamlLocator locates the fields of a YAML document.
type yamlLocator struct {
	file string
	root *yaml.Node
	// lines are those of the document, offset is the number of lines of the file before
	// it.
	lines  [][]byte
	offset int
}

func (y yamlLocator) locate(p diag.Diagnostic) diag.FileDiagnostic {
	node, value := y.find(p.Path)
	d := diag.FileDiagnostic{File: y.file, Line: node.Line, Column: node.Column, Path: p.Path, Message: p.Message}
	if p.Line > 0 && value != nil && value.Kind == yaml.ScalarNode {
		d.Line, d.Column = y.scalarPosition(value, p.Line, p.Column)
	}
	d.Line += y.offset
	return d
}

// find returns the key and the value at path. If path does not exist, it returns the
// key of the nearest parent that does, and a nil value.
func (y yamlLocator) find(path string) (key, value *yaml.Node) {
	key, value = y.root, y.root
	for _, step := range pathSegments(path) {
		value = deref(value)
		found := false
		if i, err := strconv.Atoi(step); err == nil && value.Kind == yaml.SequenceNode && i < len(value.Content) {
			key, value, found = value.Content[i], value.Content[i], true
		} else if value.Kind == yaml.MappingNode {
			for i := 0; i+1 < len(value.Content) && !found; i += 2 {
				if value.Content[i].Value == step {
					key, value, found = value.Content[i], value.Content[i+1], true
				}
			}
		}
		if !found {
			return key, nil
		}
	}
	return key, deref(value)
}

func deref(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// scalarPosition converts a position in the text of a scalar to a position in the file.
func (y yamlLocator) scalarPosition(n *yaml.Node, line, column int) (int, int) {
	switch n.Style {
	case yaml.LiteralStyle:
		return n.Line + line, y.indent(n.Line+1) + column
	case yaml.FoldedStyle:
		return y.foldedPosition(n, line, column)
	case yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle:
		column++
	}
	if line > 1 {
		return n.Line + line - 1, column
	}
	return n.Line, n.Column + column - 1
}

// foldedPosition converts a position in the text of a folded scalar, whose lines are
// joined by blanks, to a position in the file.
func (y yamlLocator) foldedPosition(n *yaml.Node, line, column int) (int, int) {
	texts := strings.Split(n.Value, "\n")
	offset := column
	for _, t := range texts[:min(line-1, len(texts))] {
		offset += len(t) + 1
	}
	indent := y.indent(n.Line + 1)
	for fileLine := n.Line + 1; fileLine <= len(y.lines); fileLine++ {
		length := len(bytes.TrimRight(y.lines[fileLine-1], " \r")) - indent
		if offset <= length+1 {
			return fileLine, indent + offset
		}
		offset -= max(length, 0) + 1
	}
	return n.Line, n.Column
}

// indent returns the number of blanks at the start of a line.
func (y yamlLocator) indent(line int) int {
	if line > len(y.lines) {
		return 0
	}
	l := y.lines[line-1]
	return len(l) - len(bytes.TrimLeft(l, " "))
}

// pathSegments splits `a.b[0].c["d.e"]` into a, b, 0, c, d.e.
func pathSegments(path string) []string {
	quoted := false
	segments := strings.FieldsFunc(path, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && (r == '.' || r == '[' || r == ']')
	})
	for i, s := range segments {
		segments[i] = strings.Trim(s, `"`)
	}
	return segments
}

// cueLocator locates the fields of a CUE file.
type cueLocator struct {
	file string
	root cue.Value
}

func (c cueLocator) locate(p diag.Diagnostic) diag.FileDiagnostic {
	v := c.root
	for _, step := range pathSegments(p.Path) {
		selector := cue.Str(step)
		if i, err := strconv.Atoi(step); err == nil {
			selector = cue.Index(i)
		}
		next := v.LookupPath(cue.MakePath(selector))
		if !next.Exists() {
			break
		}
		v = next
	}
	d := diag.FileDiagnostic{File: c.file, Line: v.Pos().Line(), Column: v.Pos().Column(), Path: p.Path, Message: p.Message}
	if p.Line > 0 {
		d.Line += p.Line - 1
	}
	return d
}
