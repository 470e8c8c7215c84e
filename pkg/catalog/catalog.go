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

// Package catalog describes the sources and actions that triggers can use: their parameters, their
// results, and an example of each.
package catalog

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/parser"

	"github.com/kubevela/kube-trigger/examples"
	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// sourceExamples has a trigger for each source.
//
//go:embed sources.yaml
var sourceExamples []byte

// Kinds of entries.
const (
	Source = "source"
	Action = "action"
)

// Entry describes a source or an action.
type Entry struct {
	Kind string `json:"kind"`
	// Type is the value of the field `type` in triggers.
	Type        string `json:"type"`
	Description string `json:"description,omitempty"`
	// Problem says why an action of a cluster cannot be used; empty for none.
	Problem    string      `json:"problem,omitempty"`
	Parameters []Parameter `json:"parameters,omitempty"`
	// Results are the fields of an action's result.
	Results []Result `json:"results,omitempty"`
	// Example has the fields type and properties.
	Example map[string]any `json:"example,omitempty"`
	// Schema is the OpenAPI schema of the parameters.
	Schema map[string]any `json:"schema,omitempty"`
}

// Parameter is a field of the properties, which may be nested.
type Parameter struct {
	// Path is the path of the field: "labelSelector.matchLabels", "objects[].kind".
	Path     string `json:"path"`
	Type     string `json:"type"`
	Required bool   `json:"required,omitempty"`
	// Default is omitted if it is empty or there is none.
	Default     any    `json:"default,omitempty"`
	Description string `json:"description,omitempty"`
}

// Result is a field of the result of an action. Its name is empty if the result has no fields.
type Result struct {
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
}

// Sources returns the entries of all sources, by type.
func Sources(registry source.Registry) ([]Entry, error) {
	found, err := parseExamples(sourceExamples, Source)
	if err != nil {
		return nil, err
	}
	var all []Entry
	for _, name := range slices.Sorted(maps.Keys(registry)) {
		s, err := schema.Parse(registry[name].Properties)
		if err != nil {
			return nil, fmt.Errorf("source %q: %w", name, err)
		}
		e := Entry{Kind: Source, Type: name, Description: action.Description(registry[name].Properties), Example: found[name]}
		if e.Schema, err = s.OpenAPI(); err != nil {
			return nil, fmt.Errorf("source %q: %w", name, err)
		}
		e.Parameters = parameters("", e.Schema)
		all = append(all, e)
	}
	return all, nil
}

// Actions returns the entries of actions, by type, and the problems of those that are invalid. The
// sources are by type.
func Actions(sources map[string]string) ([]Entry, diag.List) {
	found, err := parseExamples(examples.Actions, Action)
	if err != nil {
		return nil, diag.List{{Message: err.Error()}}
	}
	var (
		all  []Entry
		list diag.List
	)
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		template, problems := action.Parse(name, sources[name])
		if len(problems) > 0 {
			list = append(list, problems.WithPrefix(name)...)
			continue
		}
		e := Entry{Kind: Action, Type: name, Description: action.Description(sources[name]), Results: results(template.Source()), Example: found[name]}
		if e.Schema, err = template.ParameterSchema(); err != nil {
			list.Add("", "action %q: %v", name, err)
			continue
		}
		e.Parameters = parameters("", e.Schema)
		if e.Example == nil {
			e.Example = map[string]any{"type": name}
			if properties := placeholders(e.Schema); len(properties) > 0 {
				e.Example["properties"] = properties
			}
		}
		all = append(all, e)
	}
	return all, list
}

// parameters returns the parameters in the schema of an object at path, required ones first.
func parameters(path string, object map[string]any) []Parameter {
	properties, _ := object["properties"].(map[string]any)
	required, _ := object["required"].([]any)
	var out []Parameter
	for pass := range 2 {
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			isRequired := slices.Contains(required, any(name))
			if isRequired != (pass == 0) {
				continue
			}
			p, _ := properties[name].(map[string]any)
			field := diag.Join(path, name)
			description, _ := p["description"].(string)
			if description != "" || len(nested(p)) == 0 {
				out = append(out, Parameter{Path: field, Type: describe(p), Required: isRequired, Default: defaultOf(p), Description: description})
			}
			for _, n := range nested(p) {
				out = append(out, parameters(field+n.suffix, n.schema)...)
			}
		}
	}
	return out
}

// defaultOf returns the default of a schema; nil if it is empty.
func defaultOf(s map[string]any) any {
	if s["default"] == "" {
		return nil
	}
	return s["default"]
}

// part is the schema of an object within another schema, and what its path has after that.
type part struct {
	suffix string
	schema map[string]any
}

// nested returns the schemas of the objects that a value of s is, or has as elements. Several forms
// are told apart by their type: "[github]".
func nested(s map[string]any) []part {
	if s["properties"] != nil {
		return []part{{"", s}}
	}
	if inner, ok := s["items"].(map[string]any); ok {
		return within("[]", inner)
	}
	if inner, ok := s["additionalProperties"].(map[string]any); ok {
		return within(".*", inner)
	}
	var all []part
	forms, _ := s["anyOf"].([]any)
	for _, f := range forms {
		form, _ := f.(map[string]any)
		for _, p := range nested(form) {
			properties, _ := p.schema["properties"].(map[string]any)
			kind, _ := properties["type"].(map[string]any)
			if values, ok := kind["enum"].([]any); ok && len(values) == 1 {
				p.suffix += fmt.Sprintf("[%v]", values[0])
			}
			all = append(all, p)
		}
	}
	return all
}

// within returns the parts of the elements of a value.
func within(suffix string, elements map[string]any) []part {
	parts := nested(elements)
	for i := range parts {
		parts[i].suffix = suffix + parts[i].suffix
	}
	return parts
}

// describe returns the type that a schema allows: `list of string`, `"a" or "b"`.
func describe(s map[string]any) string {
	if values, ok := s["enum"].([]any); ok {
		texts := make([]string, len(values))
		for i, v := range values {
			text, _ := json.Marshal(v)
			texts[i] = string(text)
		}
		return strings.Join(texts, " or ")
	}
	if forms, ok := s["anyOf"].([]any); ok {
		var texts []string
		for _, f := range forms {
			if inner, ok := f.(map[string]any); ok && !slices.Contains(texts, describe(inner)) {
				texts = append(texts, describe(inner))
			}
		}
		return strings.Join(texts, " or ")
	}
	switch t, _ := s["type"].(string); t {
	case "array":
		if items, ok := s["items"].(map[string]any); ok && len(items) > 0 {
			return "list of " + describe(items)
		}
		return "list"
	case "object":
		if values, ok := s["additionalProperties"].(map[string]any); ok && len(values) > 0 {
			return "map of " + describe(values)
		}
		return t
	case "":
		return "anything"
	default:
		return t
	}
}

// results returns the fields of the result in the source of an action.
func results(source string) []Result {
	file, err := expr.ParseSyntax("main.cue", source, parser.ParseComments)
	if err != nil {
		return nil
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.Field)
		if !ok || expr.LabelName(f.Label) != expr.ResultField {
			continue
		}
		if fields, ok := f.Value.(*ast.StructLit); ok {
			return resultFields(fields)
		}
		return []Result{{Description: usageOf(f)}}
	}
	return nil
}

// resultFields returns the fields of a result, including those that depend on a condition.
func resultFields(result *ast.StructLit) []Result {
	var out []Result
	for _, d := range result.Elts {
		switch d := d.(type) {
		case *ast.Field:
			out = append(out, Result{Name: expr.LabelName(d.Label), Description: usageOf(d)})
		case *ast.Comprehension:
			if inner, ok := d.Value.(*ast.StructLit); ok {
				out = append(out, resultFields(inner)...)
			}
		}
	}
	return out
}

// usageOf returns the comment of n, without "+usage=".
func usageOf(n ast.Node) string {
	for _, g := range ast.Comments(n) {
		if g.Doc {
			return strings.TrimPrefix(strings.TrimSpace(g.Text()), "+usage=")
		}
	}
	return ""
}
