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

// Package query reads queries of VelaQL: which view, with which parameters, and
// what of it.
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

// Query asks for a part of what a view shows.
type Query struct {
	// View is the name of a view. Where it is empty, Template is its CUE.
	View, Template string
	// Parameter are the values of the view's parameters.
	Parameter map[string]any
	// Export is the path of what is asked for; empty for what the view says.
	Export string
}

// Identity is equal for queries that ask for the same.
func (q Query) Identity() string {
	text, err := json.Marshal(q)
	if err != nil {
		return fmt.Sprintf("%#v", q) // the parameters are no JSON
	}
	return string(text)
}

// New returns the query that a user wrote: view as VelaQL writes it, or template; and
// beside them parameter and export, where view does not have its own. The paths of
// the problems are the names of what New takes.
func New(view, template string, parameter map[string]any, export string) (Query, diag.List) {
	var problems diag.List
	q := Query{Template: template}
	switch {
	case view == "" && template == "":
		problems.Add("view", "is required: a view's name, or its CUE as template")
	case view != "" && template != "":
		problems.Add("template", "is another view than view; keep one of them")
	case view != "":
		var err error
		if q, err = Parse(view); err != nil {
			problems.Add("view", "%v", err)
		}
	}
	if len(q.Parameter) > 0 && len(parameter) > 0 {
		problems.Add("parameter", "is given in view, too; keep one of them")
	}
	if q.Export != "" && export != "" {
		problems.Add("export", "is given in view, too; keep one of them")
	}
	if export != "" {
		if q.Export = export; !ValidExport(export) {
			problems.Add("export", "%q is not a path such as status.podList[0]", export)
		}
	}
	if q.Parameter == nil {
		q.Parameter = parameter
	}
	return q, problems
}

const (
	namePattern   = `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`
	exportPattern = `^[_a-zA-Z][._a-zA-Z0-9\[\]]*$`
)

// Parse reads a query as VelaQL writes it, `name{key=value, other="text"}.path`;
// parameters and path may be left out. A value that is a number or a bool counts as
// one, unless it is in quotes; within quotes a comma, "=" or "}" is part of the
// text.
func Parse(text string) (Query, error) {
	var q Query
	rest := strings.TrimSpace(text)
	end := strings.IndexAny(rest, "{.")
	if end < 0 {
		end = len(rest)
	}
	q.View, rest = strings.TrimSpace(rest[:end]), rest[end:]
	if !regexp.MustCompile(namePattern).MatchString(q.View) {
		return q, fmt.Errorf("%q is not the name of a view", q.View)
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
		return q, fmt.Errorf("%q is not a path such as .status.podList[0]", rest)
	}
	return q, nil
}

// ValidExport reports whether text is the path of something.
func ValidExport(text string) bool { return regexp.MustCompile(exportPattern).MatchString(text) }

// parseParameters reads what stands before "}", and returns what stands behind it.
func parseParameters(text string) (found map[string]any, rest string, err error) {
	found = map[string]any{}
	for {
		text = strings.TrimLeft(text, " \t\n,")
		if rest, ok := strings.CutPrefix(text, "}"); ok {
			return found, rest, nil
		}
		key, after, ok := strings.Cut(text, "=")
		key = strings.TrimSpace(key)
		if !ok || key == "" || strings.ContainsAny(key, `{},"`) {
			return nil, "", fmt.Errorf("parameters must be key=value, with a comma between them and } behind the last, not %q", text)
		}
		if found[key], text, err = parseValue(strings.TrimLeft(after, " \t\n")); err != nil {
			return nil, "", fmt.Errorf("parameter %s: %w", key, err)
		}
	}
}

// parseValue reads a value, and returns what stands behind it.
func parseValue(text string) (found any, rest string, err error) {
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		inner, rest, ok := strings.Cut(quoted, `"`)
		if !ok {
			return nil, "", errors.New(`has no closing "`)
		}
		if next := strings.TrimLeft(rest, " \t\n"); next == "" || next[0] != ',' && next[0] != '}' {
			return nil, "", errors.New(`needs a comma or } behind the closing "`)
		}
		return inner, rest, nil
	}
	end := strings.IndexAny(text, ",}=")
	if end < 0 || text[end] == '=' {
		return nil, "", errors.New("needs a comma or } behind its value")
	}
	word := strings.TrimSpace(text[:end])
	if word == "" {
		return nil, "", errors.New("has no value")
	}
	return parseScalar(word), text[end:], nil
}

// parseScalar returns the number or bool that a word is, or the word.
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
