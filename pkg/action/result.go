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

// HasResult reports whether an action of the template has a result: the
// template has a field `result` that is data, and not a call.
func (t *Template) HasResult() bool { return t.withResult != nil }

func hasResult(file *ast.File) bool {
	found := false
	for _, d := range file.Decls {
		found = found || isResult(d)
	}
	return found && !CallFields(file)[resultField]
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
		used := ReferencedNodes(file)
		// CUE refuses let clauses that are not used.
		gone = func(d ast.Decl) bool {
			let, ok := d.(*ast.LetClause)
			return ok && !used[let]
		}
	}
	DropUnusedImports(file)
}

// readResult notes the result of a template that gives one. Its last stage has it.
func (r *resolution) readResult() error {
	if !r.runner.template.evaluatesResult {
		return nil
	}
	data, err := r.root.LookupPath(cue.MakePath(cue.Str(resultField))).MarshalJSON()
	if err != nil {
		return Terminal(r.runner.template.evaluationError(err))
	}
	return json.Unmarshal(data, &r.result)
}

// resultReference is where a template names the result of another action.
type resultReference struct {
	name string
	pos  token.Pos
}

// resultReferences returns what file names of `context.results`.
func resultReferences(file *ast.File) []resultReference {
	var all []resultReference
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
			all = append(all, resultReference{name, n.Pos()})
		}
		return true
	}, nil)
	return all
}

// UnknownResults returns what is wrong with the results of other actions that an action
// of the template with properties refers to, where wrong says what is with a
// name, or "". Problems without a path are at places in the template.
func (t *Template) UnknownResults(properties map[string]any, validate func(name string) string) diag.List {
	var list diag.List
	for _, r := range t.resultReferences {
		if text := validate(r.name); text != "" {
			list = append(list, diagnosticAt(r.pos, "context.%s.%s: %s", resultsField, r.name, text))
		}
	}
	for _, p := range t.goTemplatePaths {
		list = append(list, CheckResultReferences(p, properties, validate)...)
	}
	return list
}
