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

// Package query parses VelaQL queries: the view, its parameters, and the path of the
// requested value.
package query

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/kubevela/kube-trigger/pkg/diag"
)

// Query is a query for a value of a view.
type Query struct {
	// View is the name of a view. If it is empty, Template is the CUE of the view.
	View, Template string
	// Parameter holds the view's parameters.
	Parameter map[string]any
	// Export is the path of the value. Defaults to the view's own export.
	Export string
}

// Identity returns a key that is equal for equal queries.
func (q Query) Identity() string {
	text, err := json.Marshal(q)
	if err != nil {
		return fmt.Sprintf("%#v", q) // the parameters cannot be encoded as JSON
	}
	return string(text)
}

// New returns the query for view, a VelaQL query or the name of a view, or for
// template, the CUE of a view. parameter and export apply if view does not contain
// them. The paths of the diagnostics are the names of New's parameters.
func New(view, template string, parameter map[string]any, export string) (Query, diag.List) {
	var diags diag.List
	q := Query{Template: template}
	switch {
	case view == "" && template == "":
		diags.Add("view", "is required: the name of a view, or its CUE as template")
	case view != "" && template != "":
		diags.Add("template", "conflicts with view; remove one of them")
	case view != "":
		var err error
		if q, err = Parse(view); err != nil {
			diags.Add("view", "%v", err)
		}
	}
	if len(q.Parameter) > 0 && len(parameter) > 0 {
		diags.Add("parameter", "is set in view, too; remove one of them")
	}
	if q.Export != "" && export != "" {
		diags.Add("export", "is set in view, too; remove one of them")
	}
	if export != "" {
		if q.Export = export; !ValidExport(export) {
			diags.Add("export", "invalid path %q: must be a path such as status.podList[0]", export)
		}
	}
	if q.Parameter == nil {
		q.Parameter = parameter
	}
	return q, diags
}

const (
	namePattern   = `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`
	exportPattern = `^[_a-zA-Z][._a-zA-Z0-9\[\]]*$`
)

// Parse parses a VelaQL query, `name{key=value, other="text"}.path`. Parameters and path
// are optional. Unquoted numbers and booleans are parsed as such. Quoted values are
// strings, which may contain commas, "=" and "}".
func Parse(text string) (Query, error) {
	var q Query
	rest := strings.TrimSpace(text)
	end := strings.IndexAny(rest, "{.")
	if end < 0 {
		end = len(rest)
	}
	q.View, rest = strings.TrimSpace(rest[:end]), rest[end:]
	if !regexp.MustCompile(namePattern).MatchString(q.View) {
		return q, fmt.Errorf("invalid view name %q", q.View)
	}
	if strings.HasPrefix(rest, "{") {
		var err error
		if q.Parameter, rest, err = parseParameters(rest[1:]); err != nil {
			return q, err
		}
	}
	if rest = strings.TrimSpace(rest); rest == "" {
		return q, nil
	}
	q.Export = strings.TrimPrefix(rest, ".")
	if !ValidExport(q.Export) {
		return q, fmt.Errorf("invalid path %q: must be a path such as .status.podList[0]", rest)
	}
	return q, nil
}

// ValidExport reports whether text is a valid path of a value.
func ValidExport(text string) bool { return regexp.MustCompile(exportPattern).MatchString(text) }

// parseParameters parses parameters up to "}", and returns the text after it.
func parseParameters(text string) (parsed map[string]any, rest string, err error) {
	parsed = map[string]any{}
	for {
		text = strings.TrimLeft(text, " \t\n,")
		if rest, ok := strings.CutPrefix(text, "}"); ok {
			return parsed, rest, nil
		}
		key, after, ok := strings.Cut(text, "=")
		key = strings.TrimSpace(key)
		if !ok || key == "" || strings.ContainsAny(key, `{},"`) {
			return nil, "", fmt.Errorf("invalid parameters %q: must be key=value pairs, separated by commas and closed by }", text)
		}
		if parsed[key], text, err = parseValue(strings.TrimLeft(after, " \t\n")); err != nil {
			return nil, "", fmt.Errorf("parameter %s: %w", key, err)
		}
	}
}

// parseValue parses one value, and returns the text after it.
func parseValue(text string) (parsed any, rest string, err error) {
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		inner, rest, ok := strings.Cut(quoted, `"`)
		if !ok {
			return nil, "", errors.New(`missing closing "`)
		}
		if next := strings.TrimLeft(rest, " \t\n"); next == "" || next[0] != ',' && next[0] != '}' {
			return nil, "", errors.New(`missing comma or } after the closing "`)
		}
		return inner, rest, nil
	}
	end := strings.IndexAny(text, ",}=")
	if end < 0 || text[end] == '=' {
		return nil, "", errors.New("missing comma or } after the value")
	}
	word := strings.TrimSpace(text[:end])
	if word == "" {
		return nil, "", errors.New("missing value")
	}
	return parseScalar(word), text[end:], nil
}

// parseScalar returns word as an integer, boolean or number if it is one, else as a
// string.
func parseScalar(word string) any {
	if i, err := strconv.ParseInt(word, 10, 64); err == nil {
		return i
	}
	if b, err := strconv.ParseBool(word); err == nil {
		return b
	}
	if f, err := strconv.ParseFloat(word, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
		return f
	}
	return word
}
