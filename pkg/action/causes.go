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

package action

import (
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	cueerrors "cuelang.org/go/cue/errors"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// causes returns the diagnostics of an error of CUE in the template file, each cause once.
func (t *Template) causes(file *ast.File, err error) diag.List {
	d := describer{template: t, public: true}
	return merge(diagnosticsWith(err, func(e cueerrors.Error) string {
		if name, ok := expr.UnknownName(e); ok {
			return unknownName(name, file, t.library)
		}
		path := e.Path()
		if len(path) > 0 && path[0] == expr.ParameterSchema {
			path = append([]string{"parameter"}, path[1:]...)
		}
		return withPath(path, d.message(e))
	}))
}

// unknownName returns the message for an identifier that the template file does not
// declare.
func unknownName(name string, file *ast.File, l library) string {
	names := append([]string{"context", "parameter"}, expr.NamesIn(file)...)
	for _, path := range l.paths() {
		local := path[strings.LastIndex(path, "/")+1:]
		if local == name {
			return fmt.Sprintf("unknown name %q; add import %q", name, path)
		}
		names = append(names, local)
	}
	for _, predeclared := range []string{"string", "bytes", "bool", "int", "float", "number", "true", "false", "null", "len"} {
		if d := len(predeclared) - len(name); d*d <= 1 { // otherwise it is a text without quotes
			names = append(names, predeclared)
		}
	}
	if hint := diag.Suggest(name, names); hint != "" && len(name) > 1 {
		return fmt.Sprintf("unknown name %q%s", name, hint)
	}
	return fmt.Sprintf("unknown name %q; a text needs double quotes: %[1]q", name)
}

// merge returns the diagnostics of list with those that have the same message as one, at
// the first place.
func merge(list diag.List) diag.List {
	var out diag.List
	others := map[string][]string{}
	for _, d := range list {
		i := slices.IndexFunc(out, func(o diag.Diagnostic) bool { return o.Message == d.Message })
		if i < 0 {
			out = append(out, d)
			continue
		}
		if place := fmt.Sprintf("%d:%d", d.Line, d.Column); d.Line > 0 && (d.Line != out[i].Line || d.Column != out[i].Column) {
			others[d.Message] = append(others[d.Message], place)
		}
	}
	for i, d := range out {
		if places := others[d.Message]; len(places) > 0 {
			out[i].Message += "; also at " + strings.Join(places, ", ")
		}
	}
	return out
}

// diagnostics converts a CUE error to diagnostics with positions in the template.
func diagnostics(err error) diag.List {
	return diagnosticsWith(err, func(cueerrors.Error) string { return "" })
}

// diagnosticsWith is diagnostics with the messages that message returns, unless they are
// empty.
func diagnosticsWith(err error, message func(cueerrors.Error) string) diag.List {
	return expr.ErrorDiagnostics(err, expr.ErrorOptions{
		File: func(name string) bool { return name != "frame.cue" && !strings.HasPrefix(name, "vela/") },
		Message: func(e cueerrors.Error) string {
			if text := message(e); text != "" {
				return text
			}
			format, args := e.Msg()
			path := slices.Clone(e.Path())
			if len(path) > 0 && path[0] == expr.ParameterSchema {
				path[0] = "parameter"
			}
			return withPath(path, fmt.Sprintf(format, args...))
		},
	})
}

// withPath returns message with a field path before it.
func withPath(path []string, message string) string {
	if len(path) == 0 {
		return message
	}
	return strings.Join(path, ".") + ": " + message
}
