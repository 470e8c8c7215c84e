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

package expr

import (
	"errors"
	"fmt"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/expr/gotemplate"
)

// GoText is a Go template of context that is executed outside CUE. Its result is data
// to the file that it was taken from.
type GoText struct {
	// Field is the top-level field of the file with the result.
	Field    string
	template *gotemplate.Template
}

// Execute returns the output for context. The error is one of MessageError.
func (g GoText) Execute(context map[string]any) (gotemplate.Output, error) {
	out, err := g.template.Execute(context)
	return out, MessageError(err)
}

// MessageError returns the error of an executed Go template without what may hold values
// of context: the limit that it exceeded, the value that it needs, or the position and the
// text of the part that fails. It is nil if err is.
func MessageError(err error) error {
	var (
		limit  *gotemplate.LimitError
		absent *gotemplate.AbsentError
	)
	if err == nil || errors.As(err, &limit) || errors.As(err, &absent) {
		return err
	}
	before, rest, _ := strings.Cut(err.Error(), ": executing ")
	_, rest, _ = strings.Cut(rest, " at <")
	part, _, found := strings.Cut(rest, ">: ")
	if !found {
		return errors.New("a Go template cannot be executed")
	}
	_, position, _ := strings.Cut(strings.TrimPrefix(before, "template: "), ":")
	reason := gotemplate.Reason(err)
	if reason != "" {
		reason = ": " + reason
	}
	return fmt.Errorf("a Go template cannot be executed: %s: {{%s}} fails%s", position, strings.Trim(gotemplate.SourceText(part), "{}"), reason)
}

// TakeGoTexts replaces each `template.Execute("…", context)` in file by a reference to
// a field that it declares, so that CUE needs no part of context for it. Calls whose Go
// template is not a valid literal are kept. The identifiers of file have to be resolved,
// and are resolved afterwards.
func TakeGoTexts(file *ast.File) ([]GoText, error) {
	if countDeclarations(file, "context") != 1 {
		return nil, nil // the file adds to context
	}
	if !Contains(file, func(n ast.Node) bool { return goText(file, n) != nil }) {
		return nil, nil
	}
	var texts []GoText
	prefix := unusedPrefix(file)
	astutil.Apply(file, func(c astutil.Cursor) bool {
		parsed := goText(file, c.Node())
		if parsed == nil {
			return true
		}
		text := GoText{fmt.Sprint(prefix, len(texts)), parsed}
		texts = append(texts, text)
		c.Replace(ast.NewIdent(text.Field))
		return false
	}, nil)
	for _, t := range texts {
		file.Decls = append(file.Decls, &ast.Field{Label: ast.NewIdent(t.Field), Value: ast.NewIdent("string")})
	}
	if err := Resolve(file); err != nil {
		return nil, err
	}
	DropUnusedImports(file)
	return texts, nil
}

// goText returns the Go template that n executes with context. It returns nil where n
// is something else.
func goText(file *ast.File, n ast.Node) *gotemplate.Template {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 2 || !callsFunction(call, "text/template", "Execute") {
		return nil
	}
	lit, isLit := call.Args[0].(*ast.BasicLit)
	data, isIdent := call.Args[1].(*ast.Ident)
	if !isLit || lit.Kind != token.STRING || !isIdent || data.Name != "context" || data.Scope != file {
		return nil
	}
	source, err := literal.Unquote(lit.Value)
	if err != nil {
		return nil
	}
	parsed, err := gotemplate.Parse(source, gotemplate.Plain)
	if err != nil {
		return nil // CUE reports it
	}
	return parsed
}

// callsFunction reports whether call calls a function of an imported package.
func callsFunction(call *ast.CallExpr, path, function string) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || LabelName(sel.Sel) != function {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	if !ok {
		return false
	}
	spec, ok := pkg.Node.(*ast.ImportSpec)
	return ok && importPath(spec) == path
}

// countDeclarations returns how many declarations at the top of file may be of name.
func countDeclarations(file *ast.File, name string) int {
	n := 0
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.ImportDecl, *ast.Package, *ast.CommentGroup:
		case *ast.LetClause, *ast.Field:
			if declared, ok := declaredName(d); !ok || declared == name {
				n++
			}
		default: // an embedding or a comprehension, which may declare any field
			n++
		}
	}
	return n
}

// unusedPrefix returns a prefix of identifiers that no identifier of file has.
func unusedPrefix(file *ast.File) string {
	prefix := "$text"
	ast.Walk(file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			for strings.HasPrefix(id.Name, prefix) {
				prefix += "_"
			}
		}
		return true
	}, nil)
	return prefix
}
