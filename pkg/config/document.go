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
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"gopkg.in/yaml.v3"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr"
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
	if isCUE(f.Path) {
		return readCUE(f.Path, f.Data)
	}
	return readYAML(f.Path, f.Data)
}

// readYAML parses YAML or JSON. After a syntax error it returns the documents before.
func readYAML(path string, data []byte) ([]document, diag.FileDiagnostics) {
	var (
		docs        []document
		diagnostics diag.FileDiagnostics
		decoder     = yaml.NewDecoder(bytes.NewReader(data))
		lines       = bytes.Split(data, []byte("\n"))
	)
	for {
		var node yaml.Node
		err := decoder.Decode(&node)
		if errors.Is(err, io.EOF) {
			return docs, diagnostics
		}
		if err != nil {
			return docs, append(diagnostics, yamlError(path, err))
		}
		if len(node.Content) == 0 || node.Content[0].Tag == "!!null" {
			continue // an empty document
		}
		root := node.Content[0]
		locator := yamlLocator{file: path, root: root, lines: lines}
		var value any
		if err := root.Decode(&value); err != nil {
			return docs, append(diagnostics, yamlError(path, err))
		}
		object, ok := normalize(value).(map[string]any)
		if !ok {
			diagnostics = append(diagnostics, locator.locate(diag.Diagnostic{Message: "must be an object, such as one that starts with `triggers:`"}))
			continue
		}
		docs = append(docs, document{value: object, locator: locator})
	}
}

// normalize converts decoded YAML to the types of decoded JSON.
func normalize(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = normalize(e)
		}
	case map[any]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[fmt.Sprint(k)] = normalize(e)
		}
		return out
	case []any:
		for i, e := range v {
			v[i] = normalize(e)
		}
	case int:
		return int64(v)
	case uint64:
		return float64(v)
	case interface{ String() string }: // a timestamp
		return v.String()
	}
	return v
}

// yamlError returns the diagnostic of a YAML error, whose message contains the line.
func yamlError(path string, err error) diag.FileDiagnostic {
	message := err.Error()
	if m := regexp.MustCompile(`^yaml: (?:unmarshal errors:\s*)?line (\d+): (.*)`).FindStringSubmatch(message); m != nil {
		line, _ := strconv.Atoi(m[1])
		return diag.FileDiagnostic{File: path, Line: line, Column: 1, Message: "YAML: " + m[2]}
	}
	return diag.FileDiagnostic{File: path, Message: "YAML: " + strings.TrimPrefix(message, "yaml: ")}
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
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, diag.FileDiagnostics{{File: path, Message: "must be a struct"}}
	}
	return []document{{value: object, locator: cueLocator{file: path, root: v}}}, nil
}
