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
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	yamlnode "gopkg.in/yaml.v3"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/number"
)

// document is one object of a file.
type document struct {
	value   map[string]any
	locator locator
}

// locator adds the position in a file to a diagnostic.
type locator interface {
	locate(p diag.Diagnostic) diag.FileDiagnostic
}

// documents parses the documents of a file.
func (f File) documents() ([]document, diag.FileDiagnostics) {
	if f.CUE {
		return readCUE(f.Path, f.Data)
	}
	return readYAML(f.Path, f.Data)
}

// readYAML parses YAML or JSON. Values are what kubectl makes of the same text: dates
// are text, and a key that occurs twice is an error. After an error it returns the
// documents before.
func readYAML(path string, data []byte) ([]document, diag.FileDiagnostics) {
	var (
		docs        []document
		diagnostics diag.FileDiagnostics
	)
	for _, part := range splitDocuments(data) {
		d, problem := part.parse(path)
		switch {
		case problem != nil && d == nil:
			return docs, append(diagnostics, *problem)
		case problem != nil:
			diagnostics = append(diagnostics, *problem)
		case d != nil:
			docs = append(docs, *d)
		}
	}
	return docs, diagnostics
}

// yamlPart is the text of one document of a file of YAML.
type yamlPart struct {
	text []byte
	// offset is the number of lines of the file before it.
	offset int
}

// splitDocuments splits data at the lines `---`.
func splitDocuments(data []byte) []yamlPart {
	var (
		parts []yamlPart
		start int
		begin int // line
		line  int
	)
	for at := 0; at < len(data); line++ {
		end := len(data)
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if isSeparator(data[at:end]) {
			parts = append(parts, yamlPart{data[start:at], begin})
			start, begin = end, line+1
		}
		at = end
	}
	return append(parts, yamlPart{data[start:], begin})
}

// isSeparator reports whether a line is `---`, with nothing but a comment behind it.
func isSeparator(line []byte) bool {
	rest, found := bytes.CutPrefix(line, []byte("---"))
	rest = bytes.TrimSpace(rest)
	return found && (len(rest) == 0 || rest[0] == '#')
}

// parse returns the document of p: nil if it is empty, or if it has a syntax error. A
// document that is no object is a problem, and has no value.
func (p yamlPart) parse(path string) (*document, *diag.FileDiagnostic) {
	node, problem := p.node(path)
	if problem != nil {
		return nil, problem
	}
	text, err := p.toJSON(node)
	if err != nil {
		return nil, p.error(path, err)
	}
	if len(node.Content) == 0 || node.Content[0].Tag == "!!null" {
		return nil, nil
	}
	if json.Valid(p.text) {
		text = p.text // with all digits of its numbers
	}
	d := &document{locator: yamlLocator{file: path, root: node.Content[0], offset: p.offset, lines: bytes.Split(p.text, []byte("\n"))}}
	if d.value, err = number.UnmarshalObject(text); err != nil {
		problem := d.locator.locate(diag.Diagnostic{Message: "must be an object, such as one that starts with `triggers:`"})
		return d, &problem
	}
	return d, nil
}

// node returns the syntax tree of p. What YAML takes for something else than the text that
// is meant, and documents that no line `---` separates, are problems.
func (p yamlPart) node(path string) (*yamlnode.Node, *diag.FileDiagnostic) {
	var node, next yamlnode.Node
	decoder := yamlnode.NewDecoder(bytes.NewReader(p.text))
	if err := decoder.Decode(&node); errors.Is(err, io.EOF) {
		return &node, nil
	} else if err != nil {
		return nil, p.error(path, err)
	}
	lines := bytes.Split(p.text, []byte("\n"))
	countBytes(&node, lines)
	if at, message := misread(&node, lines); at != nil {
		return nil, p.problem(path, at, message)
	}
	switch err := decoder.Decode(&next); {
	case err == nil && len(next.Content) > 0:
		return nil, p.problem(path, next.Content[0], "YAML: another document begins here; write --- on a line of its own before it")
	case err != nil && !errors.Is(err, io.EOF):
		return nil, p.error(path, err)
	}
	return &node, nil
}

// countBytes makes the columns in the tree of n count bytes, as those of all diagnostics do. The
// parser counts characters.
func countBytes(n *yamlnode.Node, lines [][]byte) {
	if n.Line > 0 && n.Line <= len(lines) {
		line, column := lines[n.Line-1], 1
		for range n.Column - 1 {
			_, size := utf8.DecodeRune(line[min(column-1, len(line)):])
			column += max(size, 1)
		}
		n.Column = column
	}
	for _, c := range n.Content {
		countBytes(c, lines)
	}
}

func (p yamlPart) problem(path string, at *yamlnode.Node, message string) *diag.FileDiagnostic {
	return &diag.FileDiagnostic{File: path, Line: p.offset + at.Line, Column: at.Column, Message: message}
}

// toJSON returns p as JSON. A key that occurs twice is an error, unless it overrides one
// of a merge key (<<).
func (p yamlPart) toJSON(node *yamlnode.Node) ([]byte, error) {
	if !hasMergeKey(node) {
		return yaml.YAMLToJSONStrict(p.text)
	}
	// YAMLToJSONStrict rejects what overrides.
	var value any
	if err := node.Decode(&value); err != nil {
		return nil, err
	}
	return yaml.YAMLToJSON(p.text)
}

func hasMergeKey(n *yamlnode.Node) bool {
	return n.Tag == "!!merge" || slices.ContainsFunc(n.Content, hasMergeKey)
}

// error returns the diagnostic of a YAML error, whose message contains the line.
func (p yamlPart) error(path string, err error) *diag.FileDiagnostic {
	message := err.Error()
	if m := regexp.MustCompile(`^yaml: (?:unmarshal errors:\s*)?line (\d+): (.*)`).FindStringSubmatch(message); m != nil {
		line, _ := strconv.Atoi(m[1])
		return &diag.FileDiagnostic{File: path, Line: p.offset + line, Column: 1, Message: "YAML: " + m[2] + p.hint(m[2], line)}
	}
	return &diag.FileDiagnostic{File: path, Message: "YAML: " + strings.TrimPrefix(message, "yaml: ") + p.hint(message, 0)}
}

// readCUE evaluates one CUE file, which must be concrete.
func readCUE(path string, data []byte) ([]document, diag.FileDiagnostics) {
	v := cuecontext.New().CompileBytes(data, cue.Filename(path))
	if err := v.Validate(cue.Concrete(true)); err != nil {
		var diagnostics diag.FileDiagnostics
		for _, d := range expr.ErrorDiagnostics(err, expr.ErrorOptions{}) {
			diagnostics = append(diagnostics, diag.FileDiagnostic{File: path, Line: d.Line, Column: d.Column, Message: d.Message})
		}
		return nil, diagnostics
	}
	text, err := v.MarshalJSON()
	if err != nil {
		return nil, diag.FileDiagnostics{{File: path, Message: err.Error()}}
	}
	object, err := number.UnmarshalObject(text)
	if err != nil || object == nil {
		return nil, diag.FileDiagnostics{{File: path, Message: "must be a struct"}}
	}
	return []document{{value: object, locator: cueLocator{file: path, root: v}}}, nil
}
