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
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// fieldChecker finds references to fields that cannot exist, and parameters of functions
// that these do not have. It is silent where a schema is open, or not known before an
// event.
type fieldChecker struct {
	file *ast.File
	// packages are the imported `vela/*` packages, by their names in file.
	packages map[string]cue.Value
	// template is the template without an event. Its fields are unknown while it is the
	// zero value.
	template cue.Value
	// conditional are the names of fields that exist under a condition.
	conditional map[string]bool
	list        diag.List
}

// newFieldChecker returns a checker of the template's source.
func (t *Template) newFieldChecker() (*fieldChecker, error) {
	file, err := expr.ParseFile(t.name+".cue", t.source)
	if err != nil {
		return nil, err
	}
	c := &fieldChecker{file: file, packages: map[string]cue.Value{}, conditional: map[string]bool{}}
	c.addConditional(file)
	sources, err := t.library.imports(file)
	if err != nil {
		return nil, err
	}
	for _, p := range sources {
		c.addConditional(p.syntax)
	}
	imports, err := instances(sources)
	if err != nil {
		return nil, err
	}
	values, ctx := map[string]cue.Value{}, cuecontext.New()
	for _, i := range imports {
		values[i.ImportPath] = ctx.BuildInstance(i)
	}
	for _, spec := range file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		if v, ok := values[path]; ok {
			c.packages[importName(spec, path)] = v
		}
	}
	return c, nil
}

// addConditional adds the names of the fields in the comprehensions of file.
func (c *fieldChecker) addConditional(file *ast.File) {
	ast.Walk(file, func(n ast.Node) bool {
		comprehension, ok := n.(*ast.Comprehension)
		if !ok {
			return true
		}
		ast.Walk(comprehension.Value, func(n ast.Node) bool {
			if f, ok := n.(*ast.Field); ok {
				c.conditional[expr.LabelName(f.Label)] = true
			}
			return true
		}, nil)
		return true
	}, nil)
}

// field returns the field name of v. If it cannot exist, the problem names those that do;
// if it may exist and is not known, the field does not exist.
func (c *fieldChecker) field(v cue.Value, name string) (field cue.Value, problem string) {
	reserved := strings.HasPrefix(name, "$") && v.LookupPath(cue.MakePath(cue.Str("$params"))).Exists()
	known := fieldNames(v)
	for _, s := range []cue.Selector{cue.Str(name), cue.Str(name).Optional()} {
		if next := v.LookupPath(cue.MakePath(s)); next.Exists() && (!reserved || slices.Contains(known, name)) {
			return next, ""
		}
	}
	kind := v.IncompleteKind()
	if op, _ := v.Expr(); op == cue.OrOp && kind&cue.StructKind != 0 || c.conditional[name] || kind == cue.BottomKind {
		return field, ""
	}
	if kind&cue.StructKind == 0 {
		return field, fmt.Sprintf("; it is a %s", kind)
	}
	if v.Allows(cue.Str(name)) && !reserved {
		return field, ""
	}
	if len(known) == 0 {
		return field, "; it has no fields"
	}
	return field, fmt.Sprintf("%s; it has %s", diag.Suggest(name, known), strings.Join(known, ", "))
}

// fieldNames returns the sorted names of the fields that v has or may have.
func fieldNames(v cue.Value) []string {
	var names []string
	fields, err := v.Fields(cue.Optional(true))
	if err != nil {
		return nil
	}
	for fields.Next() {
		names = append(names, fields.Selector().Unquoted())
	}
	slices.Sort(names)
	return names
}

func (c *fieldChecker) add(at ast.Node, format string, args ...any) {
	c.addAt(at.Pos(), format, args...)
}

func (c *fieldChecker) addAt(pos token.Pos, format string, args ...any) {
	d := diagnosticAt(pos, format, args...)
	if !slices.Contains(c.list, d) {
		c.list = append(c.list, d)
	}
}

// problems returns what was found, in the order of the template.
func (c *fieldChecker) problems() diag.List {
	slices.SortStableFunc(c.list, func(a, b diag.Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return merge(c.list)
}
