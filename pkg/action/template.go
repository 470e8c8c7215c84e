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
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	cueerrors "cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
)

// Template is a CUE action template that has been checked: a file whose
// `parameter` describes the properties and whose other fields make provider
// calls. It is immutable and safe for concurrent use.
type Template struct {
	name, source string
	// context and returns are the fields that the template depends on, of the
	// event and of what calls return.
	context, returns expr.FieldSet
	embedded         expr.Embedded
	handlesErr       map[string]bool
	stages           []Stage
	// parameterDecls names the declarations that make the parameter.
	parameterDecls NameSet
	parameter      *schema.Schema
	// resultReferences are what it refers to of other actions, texts the paths of the
	// properties that it takes for Go templates.
	resultReferences []resultReference
	goTemplatePaths  [][]string
	// viewProperties are the properties that hold the CUE of views.
	viewProperties []string
	// evaluatesResult is set where the result is evaluated, too; giving is the same template
	// for which it is, nil where there is none.
	evaluatesResult bool
	withResult      *Template
}

// Parse checks a template. The places in the problems are in source.
func Parse(name, source string) (*Template, diag.List) {
	t := &Template{name: name, source: source, evaluatesResult: true}
	file, err := t.parse()
	if err != nil {
		return nil, diagnostics(err)
	}
	if list := checkNames(file); len(list) > 0 {
		return nil, list
	}
	abstract, err := t.build(cuecontext.New(), buildOptions{context: contextSchema()})
	if err != nil {
		return nil, diagnostics(err)
	}
	if err := abstract.Validate(); err != nil {
		return nil, diagnostics(err)
	}
	t.parameter = schema.FromValue(abstract.LookupPath(cue.ParsePath(parameterSchema)))
	t.resultReferences, t.goTemplatePaths = resultReferences(file), GoTemplatePaths(file)
	t.viewProperties = viewProperties(abstract)
	if !hasResult(file) {
		t.evaluatesResult = false
		t.analyse(file)
		return t, nil
	}
	giving := *t
	giving.analyse(file)
	t.evaluatesResult, t.withResult = false, &giving
	if file, err = t.parse(); err != nil {
		return nil, diagnostics(err)
	}
	t.analyse(file)
	return t, nil
}

// analyse finds out what has to be evaluated when.
func (t *Template) analyse(file *ast.File) {
	t.context = expr.Dependencies("context", file)
	t.returns = expr.Dependencies("$returns", file)
	if CallsUsedAsValues(file) {
		t.returns = expr.All()
	}
	t.embedded = expr.EmbeddedElements(file)
	t.handlesErr = errHandlers(file)
	t.stages, t.parameterDecls = Schedule(file, t.evaluatesResult)
}

// Name returns the template's name, the `type` of actions that use it.
func (t *Template) Name() string { return t.name }

// parameterSchema is what `parameter` becomes: a definition is closed, so that a
// property which a template does not know is refused instead of ignored.
const parameterSchema = "#parameter"

// parse returns the template's syntax tree, without a result that nobody sees. CUE
// annotates trees while it builds them, so that each build has to have its own.
func (t *Template) parse() (*ast.File, error) {
	file, err := parser.ParseFile(t.name+".cue", t.source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	if !t.evaluatesResult {
		dropResult(file)
	}
	declared := false
	for _, d := range file.Decls {
		if f, ok := d.(*ast.Field); ok && labelName(f.Label) == "parameter" {
			f.Label = ast.NewIdent(parameterSchema)
			declared = true
		}
	}
	if !declared {
		file.Decls = append(file.Decls, &ast.Field{Label: ast.NewIdent(parameterSchema), Value: ast.NewStruct()})
	}
	return file, nil
}

// buildOptions is what a template is built with.
type buildOptions struct {
	// context is CUE for what is known of the event before there is one.
	context string
	// parameter is CUE for what the properties have become. Where it is empty,
	// the template's own schema is left to say so.
	parameter string
	stage     Stage
}

// build compiles what the frame's stage takes of the template.
func (t *Template) build(ctx *cue.Context, f buildOptions) (cue.Value, error) {
	file, err := t.parse()
	if err != nil {
		return cue.Value{}, err
	}
	source := "#context: " + f.context + "\ncontext: #context"
	if f.context == "" {
		source = "context: _"
	}
	for _, name := range f.stage.Inputs {
		source += "\n" + name + ": _"
	}
	dropped := NameSet{}
	if f.parameter == "" {
		source += "\nparameter: " + parameterSchema
	} else {
		source += "\nparameter: " + f.parameter
		dropped[parameterSchema] = true
	}
	f.stage.Prune(file, dropped)
	framed, err := parser.ParseFile("frame.cue", source)
	if err != nil {
		return cue.Value{}, err
	}
	file.Decls = append(file.Decls, framed.Decls...)
	if err := resolve(file); err != nil {
		return cue.Value{}, err
	}
	if f.parameter != "" {
		if err := FoldConstants(file, append(slices.Clone(f.stage.Inputs), "context")); err != nil {
			return cue.Value{}, err
		}
	}
	inst := build.NewContext().NewInstance("", nil)
	if inst.Imports, err = imports(file); err != nil {
		return cue.Value{}, err
	}
	if err := inst.AddSyntax(file); err != nil {
		return cue.Value{}, err
	}
	v := ctx.BuildInstance(inst)
	if err := v.Err(); err != nil && !incomplete(v) {
		return cue.Value{}, err
	}
	return v, nil
}

// resolve makes the identifiers of file refer to its declarations as they are
// now; the parser had made them refer to those that it read.
func resolve(file *ast.File) error {
	ast.Walk(file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			id.Node, id.Scope = nil, nil
		}
		return true
	}, nil)
	file.Unresolved = nil
	var errs cueerrors.Error
	astutil.Resolve(file, func(pos token.Pos, msg string, args ...any) {
		errs = cueerrors.Append(errs, cueerrors.Newf(pos, msg, args...))
	})
	if errs != nil {
		return errs
	}
	return nil
}

// imports builds the `vela/*` packages that file imports. Instances must not be
// shared between CUE contexts.
func imports(file *ast.File) ([]*build.Instance, error) {
	var out []*build.Instance
	packages := provider.Packages()
	for _, spec := range file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		p, ok := packages[path]
		if !ok {
			continue // CUE's standard library
		}
		source, err := parser.ParseFile(path+".cue", p.Source)
		if err != nil {
			return nil, fmt.Errorf("package %s: %w", path, err)
		}
		inst := &build.Instance{PkgName: path[strings.LastIndex(path, "/")+1:], ImportPath: path}
		if err := inst.AddSyntax(source); err != nil {
			return nil, fmt.Errorf("package %s: %w", path, err)
		}
		out = append(out, inst)
	}
	return out, nil
}

// errHandlers returns the names of the calls whose `$returns.err` the template
// looks at itself.
func errHandlers(file *ast.File) map[string]bool {
	out := map[string]bool{}
	ast.Walk(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || labelName(sel.Sel) != "err" {
			return true
		}
		at := sel.X
		if inner, ok := at.(*ast.SelectorExpr); ok && labelName(inner.Sel) == "$returns" {
			at = inner.X
		}
		switch x := at.(type) {
		case *ast.Ident:
			out[x.Name] = true
		case *ast.SelectorExpr:
			out[labelName(x.Sel)] = true
		}
		return true
	}, nil)
	return out
}

func labelName(l ast.Label) string {
	name, _, _ := ast.LabelName(l)
	return name
}

// diagnostics turns a CUE error into problems at places in the template.
func diagnostics(err error) diag.List {
	var list diag.List
	for _, e := range cueerrors.Errors(err) {
		format, args := e.Msg()
		p := diag.Diagnostic{Message: fmt.Sprintf(format, args...)}
		for _, pos := range cueerrors.Positions(e) {
			if pos.Line() > 0 && pos.Filename() != "frame.cue" && !strings.HasPrefix(pos.Filename(), "vela/") {
				p.Line, p.Column = pos.Line(), pos.Column()
				break
			}
		}
		if path := e.Path(); len(path) > 0 {
			path = slices.Clone(path)
			if path[0] == parameterSchema {
				path[0] = "parameter"
			}
			p.Message = strings.Join(path, ".") + ": " + p.Message
		}
		list = append(list, p)
	}
	return list
}
