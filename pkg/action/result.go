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
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
)

const (
	// resultField is the field of a template that is what its action gives.
	resultField = "result"
	// resultsField is the field of `context` that holds what earlier actions gave.
	resultsField = "results"
)

// contextFields returns the names of the fields that `context` may have.
func contextFields() []string {
	fields := append(event.ContextFields(), resultsField)
	slices.Sort(fields)
	return fields
}

// contextSchema is the CUE of `context`: that of filters, and the results.
func contextSchema() string {
	return strings.TrimSuffix(event.Schema, "}") + "\t" + resultsField + ": {[string]: _}\n}"
}

// GivesResult reports whether an action of the template has a result: the
// template has a field `result` that is data, and not a call.
func (t *Template) GivesResult() bool { return t.giving != nil }

func hasResult(file *ast.File) bool {
	found := false
	for _, d := range file.Decls {
		found = found || isResult(d)
	}
	return found && !holders(file)[resultField]
}

func isResult(d ast.Decl) bool {
	f, ok := d.(*ast.Field)
	return ok && f.Constraint == token.ILLEGAL && labelName(f.Label) == resultField
}

// dropResult takes the result out of file, unless something else in it needs it.
func dropResult(file *ast.File) {
	needed := !hasResult(file)
	ast.Walk(file, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		needed = needed || ok && id.Name == resultField && id.Scope == file
		return !needed
	}, nil)
	if needed {
		return
	}
	for gone := isResult; slices.ContainsFunc(file.Decls, gone); {
		file.Decls = slices.DeleteFunc(file.Decls, gone)
		used := referred(file)
		// CUE refuses let clauses that are not used.
		gone = func(d ast.Decl) bool {
			let, ok := d.(*ast.LetClause)
			return ok && !used[let]
		}
	}
	dropImports(file)
}

// give notes the result of a template that gives one. Its last stage has it.
func (r *resolution) give() error {
	if !r.runner.template.gives {
		return nil
	}
	data, err := r.root.LookupPath(cue.MakePath(cue.Str(resultField))).MarshalJSON()
	if err != nil {
		return Terminal(r.runner.template.explain(err))
	}
	return json.Unmarshal(data, &r.result)
}

// reference is where a template names the result of another action.
type reference struct {
	name string
	pos  token.Pos
}

// references returns what file names of `context.results`.
func references(file *ast.File) []reference {
	var all []reference
	ast.Walk(file, func(n ast.Node) bool {
		var name string
		var of ast.Expr
		switch n := n.(type) {
		case *ast.SelectorExpr:
			name, of = labelName(n.Sel), n.X
		case *ast.IndexExpr:
			if lit, ok := n.Index.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				name, of = labelName(lit), n.X
			}
		}
		results, ok := of.(*ast.SelectorExpr)
		if !ok || name == "" || labelName(results.Sel) != resultsField {
			return true
		}
		if root, ok := results.X.(*ast.Ident); ok && root.Name == "context" {
			all = append(all, reference{name, n.Pos()})
		}
		return true
	}, nil)
	return all
}

// Unknown returns what is wrong with the results of other actions that an action
// of the template with properties refers to, where wrong says what is with a
// name, or "". Problems without a path are at places in the template.
func (t *Template) Unknown(properties map[string]any, wrong func(name string) string) diag.List {
	var list diag.List
	for _, r := range t.references {
		if text := wrong(r.name); text != "" {
			list = append(list, at(r.pos, "context.%s.%s: %s", resultsField, r.name, text))
		}
	}
	for _, p := range t.texts {
		list = append(list, unknownIn(p, properties, wrong)...)
	}
	return list
}
