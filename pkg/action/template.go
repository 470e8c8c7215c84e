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

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/parser"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/expr/closure"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
	"github.com/kubevela/kube-trigger/pkg/workflowstep"
)

// Template is a validated CUE action template: its field `parameter` is the schema of
// the properties, its other fields make provider calls. It is immutable and safe for
// concurrent use.
type Template struct {
	name, source string
	// library has the packages that the template can import, and trees the template itself.
	library library
	trees   *templateTrees
	// step is set if the template is that of a step of a workflow.
	step *workflowstep.Step
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
	// resultFields are the fields of the result, if they are known.
	resultFields expr.ResultFields
	// waits is set if the template waits for a condition.
	waits bool
	// hasEffect is set if the template has calls that can change or send something.
	hasEffect bool
	// viewProperties are the properties with the CUE of a view.
	viewProperties []string
	// evaluatesResult is set if the field `result` is evaluated. withResult is the
	// same template with evaluatesResult set; nil if the template has no result.
	evaluatesResult bool
	withResult      *Template
}

// Parse validates a template, which may be in the format of `vela def`. The diagnostics have
// positions in source.
func Parse(name, source string) (*Template, diag.List) {
	return NewParser().Parse(name, source)
}

// Parser parses templates as Parse does; several with less work. It is safe for concurrent use.
type Parser struct{ library library }

// NewParser returns a Parser.
func NewParser() Parser { return Parser{newLibrary()} }

// Parse parses a template.
func (p Parser) Parse(name, source string) (*Template, diag.List) { return p.parse(name, source, true) }

// ParseValid parses a template for which Parse has no problems, with less work.
func (p Parser) ParseValid(name, source string) (*Template, diag.List) {
	return p.parse(name, source, false)
}

// parse returns a problem where CUE panics, such as for "a=0:a".
func (p Parser) parse(name, source string, check bool) (t *Template, list diag.List) {
	var panicked error
	func() {
		defer panicerr.Recover(&panicked)
		t, list = p.parseSource(name, source, check)
	}()
	if panicked != nil {
		return nil, diag.List{{Message: fmt.Sprintf("CUE cannot compile the template, and does not say where (%v); check the fields with an alias, such as x in `x=name: value`", panicked)}}
	}
	return t, list
}

func (p Parser) parseSource(name, source string, check bool) (*Template, diag.List) {
	source, problems := unwrapDefinition(name, source)
	if len(problems) > 0 {
		return nil, problems
	}
	t := &Template{name: name, source: source, library: p.library, trees: &templateTrees{}, evaluatesResult: true}
	if step, ok := workflowstep.Parse(name); ok {
		t.step = &step
		if problem := refusedStep(step, source); problem != "" {
			return nil, diag.List{{Message: problem}}
		}
	}
	file, err := t.parse()
	if err != nil {
		return nil, diagnostics(err)[:1] // what follows a syntax error may follow from it
	}
	functionAt := newFunctionFinder(file, t.library)
	isFunction := func(sel *ast.SelectorExpr) bool { _, ok := functionAt(sel); return ok }
	var fields *fieldChecker
	if check {
		list := slices.Concat(checkNames(file, t.contextFields(), t.library), checkFunctions(file, functionAt, t.library), expr.CheckCalls(file))
		if list = append(list, expr.CheckCallPlaces(file, isFunction)...); len(list) > 0 {
			return nil, list
		}
		if fields, err = t.newFieldChecker(); err != nil {
			return nil, diagnostics(err)
		}
		fields.checkCalls()
	}
	t.hasEffect, t.waits = refersTo(file, functionAt, provider.HasEffect), refersTo(file, functionAt, provider.IsWait)
	t.handlesErr, t.dataFields = expr.FindErrHandlers(file), expr.DataFields(file)
	t.resultReferences, t.resultFields = expr.ResultReferences(file), expr.ResultFieldsOf(file)
	if t.messages, problems = expr.MessagesOf(file); len(problems) > 0 {
		return nil, problems
	}
	abstract, err := t.build(cuecontext.New(), buildOptions{context: t.contextSchema()})
	if err == nil {
		err = abstract.Validate()
	}
	if check {
		fields.checkReferences(abstract)
		if list := fields.problems(); len(list) > 0 {
			return nil, list
		}
	}
	if err != nil {
		return nil, t.causes(file, err)
	}
	t.parameter = schema.FromValue(abstract.LookupPath(cue.ParsePath(expr.ParameterSchema)), t.parameterSyntax)
	t.viewProperties = viewProperties(abstract)
	expr.TakeExecutedProperties(file)
	if !expr.HasResult(file) && !abstract.LookupPath(cue.MakePath(cue.Str(expr.ResultField))).Exists() {
		t.evaluatesResult = false // there is none, so that the tree is the same
		t.analyse(file)
		return t, nil
	}
	giving := *t
	giving.analyse(file)
	t.evaluatesResult, t.withResult, t.trees = false, &giving, &templateTrees{}
	if file, err = t.parseForStages(); err != nil {
		return nil, diagnostics(err)
	}
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

// Source returns the template's text, without the metadata of a definition.
func (t *Template) Source() string { return t.source }

// parse returns a new syntax tree of the template, without the field `result` unless it
// is evaluated, and with the rules for absent values. A tree cannot be shared, because CUE
// modifies it during a build.
func (t *Template) parse() (*ast.File, error) {
	return t.trees.whole.get(t.parseSource)
}

// parseForStages is parse without the executions of properties, which are executed before.
func (t *Template) parseForStages() (*ast.File, error) {
	return t.trees.stages.get(t.parseWithoutExecutions)
}

// copyStage is parseForStages with the declarations of a stage that are not in dropped.
func (t *Template) copyStage(s expr.Stage, dropped expr.NameSet) (out *ast.File, err error) {
	err = t.trees.stages.read(t.parseWithoutExecutions, func(file *ast.File) { out = s.Copy(file, dropped) })
	return out, err
}

func (t *Template) parseWithoutExecutions() (*ast.File, error) {
	file, err := t.parse()
	if err == nil {
		expr.TakeExecutedProperties(file)
	}
	return file, err
}

// parameterSyntax returns a new syntax tree of the schema of the properties.
func (t *Template) parameterSyntax() (ast.Expr, error) {
	file, err := t.parse()
	if err != nil {
		return nil, err
	}
	if x := fieldValue(file.Decls, expr.ParameterSchema); x != nil {
		return x, nil
	}
	return nil, &closure.UnsupportedError{What: "a parameter with several declarations"}
}

func (t *Template) parseSource() (*ast.File, error) {
	file, err := expr.ParseFile(t.name+".cue", t.source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	if t.step != nil {
		if err := adaptStep(file, t.library); err != nil {
			return nil, err
		}
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
