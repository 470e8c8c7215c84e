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

// yamlPlace finds places in a YAML document.
type yamlPlace struct {
	file  string
	root  *yaml.Node
	lines [][]byte
}

func (y yamlPlace) diagnose(p diag.Problem) Diagnostic {
	node, value := y.find(p.Path)
	d := Diagnostic{File: y.file, Line: node.Line, Column: node.Column, Path: p.Path, Message: p.Message}
	if p.Line > 0 && value != nil && value.Kind == yaml.ScalarNode {
		d.Line, d.Column = y.within(value, p.Line, p.Column)
	}
	return d
}

// find returns the key at path, or the nearest one above it that exists, and its
// value.
func (y yamlPlace) find(path string) (key, value *yaml.Node) {
	key, value = y.root, y.root
	for _, step := range steps(path) {
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

// within returns the place in the file of a place in the text of a scalar.
func (y yamlPlace) within(n *yaml.Node, line, column int) (int, int) {
	switch n.Style {
	case yaml.LiteralStyle:
		return n.Line + line, y.indent(n.Line+1) + column
	case yaml.FoldedStyle:
		return y.folded(n, line, column)
	case yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle:
		column++
	}
	if line > 1 {
		return n.Line + line - 1, column
	}
	return n.Line, n.Column + column - 1
}

// folded finds a place in a text whose lines were joined by blanks.
func (y yamlPlace) folded(n *yaml.Node, line, column int) (int, int) {
	texts := strings.Split(n.Value, "\n")
	offset := column
	for _, t := range texts[:min(line-1, len(texts))] {
		offset += len(t) + 1
	}
	indent := y.indent(n.Line + 1)
	for at := n.Line + 1; at <= len(y.lines); at++ {
		length := len(bytes.TrimRight(y.lines[at-1], " \r")) - indent
		if offset <= length+1 {
			return at, indent + offset
		}
		offset -= max(length, 0) + 1
	}
	return n.Line, n.Column
}

// indent returns the number of blanks at the start of a line.
func (y yamlPlace) indent(line int) int {
	if line > len(y.lines) {
		return 0
	}
	l := y.lines[line-1]
	return len(l) - len(bytes.TrimLeft(l, " "))
}

// steps splits "a.b[0].c" into a, b, 0, c.
func steps(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}

// cuePlace finds places in a CUE file.
type cuePlace struct {
	file string
	root cue.Value
}

func (c cuePlace) diagnose(p diag.Problem) Diagnostic {
	v := c.root
	for _, step := range steps(p.Path) {
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
	d := Diagnostic{File: c.file, Line: v.Pos().Line(), Column: v.Pos().Column(), Path: p.Path, Message: p.Message}
	if p.Line > 0 {
		d.Line += p.Line - 1
	}
	return d
}
