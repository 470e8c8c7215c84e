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
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	cueerrors "cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
)

// Template is a validated CUE action template: its field `parameter` is the schema of
// the properties, its other fields make provider calls. It is immutable and safe for
// concurrent use.
type Template struct {
	name, source string
	// context and returns are the fields of `context` and of `$returns` that the
	// template depends on.
	context, returns expr.FieldSet
	embedded         expr.Embedded
	handlesErr       expr.ErrHandlers
	// dataFields are the top-level fields that make no calls.
	dataFields expr.NameSet
	stages     []expr.Stage
	// parameterDecls are the names of the declarations that `parameter` depends on.
	parameterDecls expr.NameSet
	parameter      *schema.Schema
	// resultReferences are the references to results of other actions, messages the
	// properties that are message templates.
	resultReferences []expr.ResultReference
	messages         expr.Messages
	// hasEffect is set if the template has calls that can change or send something.
	hasEffect bool
	// viewProperties are the properties with the CUE of a view.
	viewProperties []string
	// evaluatesResult is set if the field `result` is evaluated. withResult is the
	// same template with evaluatesResult set; nil if the template has no result.
	evaluatesResult bool
	withResult      *Template
}

// Parse validates a template. The diagnostics have positions in source.
func Parse(name, source string) (*Template, diag.List) {
	t := &Template{name: name, source: source, evaluatesResult: true}
	file, err := t.parse()
	if err != nil {
		return nil, diagnostics(err)
	}
	functionAt := functionFinder(file)
	isFunction := func(sel *ast.SelectorExpr) bool { _, ok := functionAt(sel); return ok }
	list := slices.Concat(checkNames(file), checkFunctions(file), expr.CheckCalls(file))
	if list = append(list, expr.CheckCallPlaces(file, isFunction)...); len(list) > 0 {
		return nil, list
	}
	t.hasEffect, t.handlesErr, t.dataFields = hasEffect(file), expr.FindErrHandlers(file), expr.DataFields(file)
	var problems diag.List
	t.resultReferences = expr.ResultReferences(file)
	if t.messages, problems = expr.MessagesOf(file); len(problems) > 0 {
		return nil, problems
	}
	abstract, err := t.build(cuecontext.New(), buildOptions{context: contextSchema()})
	if err != nil {
		return nil, diagnostics(err)
	}
	if err := abstract.Validate(); err != nil {
		return nil, diagnostics(err)
	}
	t.parameter = schema.FromValue(abstract.LookupPath(cue.ParsePath(expr.ParameterSchema)))
	t.viewProperties = viewProperties(abstract)
	expr.TakeExecutedProperties(file)
	if !expr.HasResult(file) && !abstract.LookupPath(cue.MakePath(cue.Str(expr.ResultField))).Exists() {
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
	expr.TakeExecutedProperties(file)
	t.analyse(file)
	return t, nil
}

// analyse determines the dependencies and the stages of the template.
func (t *Template) analyse(file *ast.File) {
	t.context = expr.Dependencies("context", file)
	t.returns = expr.Dependencies("$returns", file)
	if expr.CallsUsedAsValues(file) || expr.NamesReturns(file) || t.evaluatesResult && !t.dataFields[expr.ResultField] {
		t.returns = expr.All()
	}
	t.embedded = expr.EmbeddedElements(file)
	t.stages, t.parameterDecls = expr.Schedule(file, t.evaluatesResult)
}

// Name returns the template's name, which is the `type` of its actions.
func (t *Template) Name() string { return t.name }

// Source returns the template's text.
func (t *Template) Source() string { return t.source }

// parse returns a new syntax tree of the template, without the field `result` unless it
// is evaluated, and with the rules for absent values. A tree cannot be shared, because CUE
// modifies it during a build.
func (t *Template) parse() (*ast.File, error) {
	file, err := expr.ParseFile(t.name+".cue", t.source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	if err := expr.DefineFunctions(file); err != nil {
		return nil, err
	}
	if !t.evaluatesResult {
		expr.DropResult(file)
	}
	declared := false
	for _, d := range file.Decls {
		if f, ok := d.(*ast.Field); ok && expr.LabelName(f.Label) == "parameter" {
			f.Label = ast.NewIdent(expr.ParameterSchema)
			declared = true
		}
	}
	if !declared {
		file.Decls = append(file.Decls, &ast.Field{Label: ast.NewIdent(expr.ParameterSchema), Value: ast.NewStruct()})
	}
	return file, expr.ApplyRules(file)
}

// buildOptions configure Template.build.
type buildOptions struct {
	// context is the CUE schema of `context`; empty for any value.
	context string
	// parameter is the evaluated `parameter` as CUE; empty for the template's own
	// schema. It refers to the outputs of messages.
	parameter string
	messages  []message
	stage     expr.Stage
}

// tree is the syntax tree of a stage. It is built only once, because CUE modifies it.
type tree struct {
	file *ast.File
	// packages are the `vela/*` packages that file imports.
	packages []velaPackage
	inputs   inputs
}

// inputs are the parts of an event that a stage needs.
type inputs struct {
	// context are the fields of `context` that CUE needs.
	context expr.FieldSet
	// texts are the Go templates whose results CUE needs.
	texts []expr.GoText
}

// syntax returns the declarations of the stage f.stage with what they import.
func (t *Template) syntax(f buildOptions) (tree, error) {
	file, in, err := t.stageSyntax(f)
	if err != nil {
		return tree{}, err
	}
	packages, err := velaPackages(file)
	return tree{file, packages, in}, err
}

// stageSyntax returns the declarations of the stage f.stage, and the inputs of the stage.
func (t *Template) stageSyntax(f buildOptions) (*ast.File, inputs, error) {
	in := inputs{context: t.context}
	file, err := t.parse()
	if err != nil {
		return nil, in, err
	}
	expr.TakeExecutedProperties(file)
	source := "#context: " + f.context + "\ncontext: #context"
	if f.context == "" {
		source = "context: _"
	}
	for _, name := range f.stage.Inputs {
		source += "\n" + name + ": _"
	}
	varying := append(slices.Clone(f.stage.Inputs), "context", expr.AbsentField)
	var parts [][]string
	for i, m := range f.messages {
		source += "\n" + expr.MessageField(i) + ": string"
		varying = append(varying, expr.MessageField(i))
		parts = append(parts, m.Path)
	}
	dropped := expr.NameSet{}
	if f.parameter == "" {
		source += "\nparameter: " + expr.ParameterSchema
	} else {
		source += "\nparameter: " + f.parameter
		dropped[expr.ParameterSchema] = true
	}
	source += "\n" + expr.AbsentField + ": bool"
	f.stage.Prune(file, dropped)
	frame, err := parser.ParseFile("frame.cue", source)
	if err != nil {
		return nil, in, err
	}
	file.Decls = append(file.Decls, frame.Decls...)
	if err := expr.Resolve(file); err != nil {
		return file, in, err
	}
	if f.parameter == "" {
		return file, in, nil
	}
	if err := expr.FoldConstants(file, varying, parts); err != nil {
		return nil, in, err
	}
	if in.texts, err = expr.TakeGoTexts(file); err != nil {
		return nil, in, err
	}
	declared := frame.Decls[0]
	in.context = expr.Dependencies("context", &ast.File{
		Decls: slices.DeleteFunc(slices.Clone(file.Decls), func(d ast.Decl) bool { return d == declared }),
	})
	return file, in, nil
}

// build compiles the declarations of the stage f.stage.
func (t *Template) build(ctx *cue.Context, f buildOptions) (cue.Value, error) {
	s, err := t.syntax(f)
	if err != nil {
		return cue.Value{}, err
	}
	return s.build(ctx)
}

// build compiles the tree.
func (s tree) build(ctx *cue.Context) (cue.Value, error) {
	inst := build.NewContext().NewInstance("", nil)
	var err error
	if inst.Imports, err = instances(s.packages); err != nil {
		return cue.Value{}, err
	}
	if err := inst.AddSyntax(s.file); err != nil {
		return cue.Value{}, err
	}
	v := ctx.BuildInstance(inst)
	if err := v.Err(); err != nil && !incomplete(v) {
		return cue.Value{}, err
	}
	return v, nil
}

// velaPackage is a `vela/*` package that a template imports.
type velaPackage struct {
	path   string
	syntax *ast.File
}

// velaPackages returns new syntax trees of the `vela/*` packages that file imports.
func velaPackages(file *ast.File) ([]velaPackage, error) {
	var out []velaPackage
	packages := provider.Packages()
	for _, spec := range file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		p, ok := packages[path]
		if !ok {
			continue // CUE's standard library
		}
		syntax, err := parser.ParseFile(path+".cue", p.Source)
		if err != nil {
			return nil, fmt.Errorf("package %s: %w", path, err)
		}
		out = append(out, velaPackage{path, syntax})
	}
	return out, nil
}

// instances builds instances of packages. Instances must not be shared between CUE
// contexts.
func instances(packages []velaPackage) ([]*build.Instance, error) {
	var out []*build.Instance
	for _, p := range packages {
		inst := &build.Instance{PkgName: p.path[strings.LastIndex(p.path, "/")+1:], ImportPath: p.path}
		if err := inst.AddSyntax(p.syntax); err != nil {
			return nil, fmt.Errorf("package %s: %w", p.path, err)
		}
		out = append(out, inst)
	}
	return out, nil
}

// diagnostics converts a CUE error to diagnostics with positions in the template.
func diagnostics(err error) diag.List {
	return expr.ErrorDiagnostics(err, expr.ErrorOptions{
		File: func(name string) bool { return name != "frame.cue" && !strings.HasPrefix(name, "vela/") },
		Message: func(e cueerrors.Error) string {
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
