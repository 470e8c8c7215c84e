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
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/expr/closure"
	"github.com/kubevela/kube-trigger/pkg/number"
)

// rendering is a stage of a template that is compiled: its calls are rendered without CUE.
type rendering struct {
	program *closure.Program
	// calls are the fields with calls, and data all others: where one of them has no value,
	// CUE tells whether that is an error.
	calls, data []string
}

// compileStages compiles the template's stages. A stage that CUE evaluates has no rendering.
func (r *Action) compileStages(trees []tree) error {
	var err error
	if r.parameter == "" {
		if r.parameterProgram, err = r.newParameterProgram(); r.leave(err) != nil {
			return err
		}
	}
	r.rendered = make([]*rendering, len(r.template.stages))
	for i, t := range trees {
		if r.rendered[i], err = r.newRendering(r.template.stages[i], t); r.leave(err) != nil {
			return err
		}
	}
	return nil
}

// leave records what an error leaves to CUE. It returns all other errors.
func (r *Action) leave(err error) error {
	var left *closure.UnsupportedError
	if !errors.As(err, &left) {
		return err
	}
	d := diag.Diagnostic{Message: fmt.Sprintf("in the action %q, %s", r.template.name, left)}
	if !slices.Contains(r.byCUE, d) {
		r.byCUE = append(r.byCUE, d)
	}
	return nil
}

// ByCUE returns what of the template CUE evaluates for each event; nil if all of it is compiled.
func (r *Action) ByCUE() diag.List { return r.byCUE }

func (r *Action) newRendering(s expr.Stage, t tree) (*rendering, error) {
	if s.Repeats() {
		return nil, &closure.UnsupportedError{What: "a template without calls, or whose calls depend on each other,"}
	}
	inputs := map[string]closure.Input{}
	add := func(name string) {
		inputs[name] = func(c closure.Context) (any, bool) { return c.Field(name) }
	}
	for _, name := range append([]string{"context", expr.AbsentField}, s.Inputs...) {
		add(name)
	}
	for i := range r.messages {
		add(expr.MessageField(i))
	}
	if r.parameter == "" {
		add("parameter")
	}
	for _, text := range t.inputs.texts {
		add(text.Field)
	}
	out := &rendering{calls: s.Calls}
	for _, d := range t.file.Decls {
		f, ok := d.(*ast.Field)
		if !ok {
			continue
		}
		name := expr.LabelName(f.Label)
		if inputs[name] == nil && name != "parameter" && !expr.IsDefinition(name) && !slices.Contains(s.Calls, name) {
			out.data = append(out.data, name)
		}
	}
	var err error
	out.program, err = closure.Compile(t.file, slices.Concat(out.calls, out.data), closure.Options{Inputs: inputs, Definitions: renderFunctions(t.packages)})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// renderedCall is a call of a provider function in a rendered value.
type renderedCall struct{ provider.Call }

// renderFunctions returns the functions of packages: unified with a struct that has $params, a
// function makes a renderedCall. Packages that cannot be resolved are left to CUE.
func renderFunctions(packages []velaPackage) closure.Definitions {
	files := map[string]*ast.File{}
	for _, p := range packages {
		if expr.Resolve(p.syntax) == nil {
			files[p.path] = p.syntax
		}
	}
	return func(path, name string) (func(map[string]any) (any, closure.Status), bool) {
		if files[path] == nil {
			return nil, false
		}
		return functionOf(files[path], name)
	}
}

// functionOf returns a function of a package.
func functionOf(file *ast.File, name string) (func(map[string]any) (any, closure.Status), bool) {
	definition, ok := fieldValue(file.Decls, name).(*ast.StructLit)
	if !ok {
		return nil, false
	}
	var call provider.Call
	addFunction(&call, definition)
	params := fieldValue(definition.Elts, "$params")
	if call.Do == "" || call.Provider == "" || params == nil {
		return nil, false
	}
	schema, err := closure.CompileSchema(params)
	if err != nil {
		return nil, false
	}
	return func(fields map[string]any) (any, closure.Status) {
		given, ok := fields["$params"]
		if !ok && len(fields) > 0 || ok && len(fields) > 1 {
			return nil, closure.Unknown
		}
		if !ok {
			given = map[string]any{}
		}
		completed, s := schema.Complete(given)
		call := call
		call.Params, ok = closure.Fields(completed)
		if s != closure.Present || !ok || provider.HasComments(call) {
			return nil, closure.Unknown
		}
		return renderedCall{call}, closure.Present
	}, true
}

// fieldValue returns the value of a field; nil if there is none, or there are several.
func fieldValue(decls []ast.Decl, name string) (value ast.Expr) {
	for _, d := range decls {
		if f, ok := d.(*ast.Field); ok && expr.LabelName(f.Label) == name {
			if value != nil {
				return nil
			}
			value = f.Value
		}
	}
	return value
}

// stageInputs are the inputs of a stage, by name.
type stageInputs map[string]any

// Field implements closure.Context.
func (in stageInputs) Field(name string) (any, bool) {
	v, ok := in[name]
	return v, ok
}

// EventField implements closure.Context.
func (stageInputs) EventField(string) (any, bool) { return nil, false }

// Whole implements closure.Context.
func (in stageInputs) Whole() map[string]any { return in }

// runRendered executes the calls of a stage and reads the result, without CUE. done is false
// where only CUE can tell what they are; then nothing was executed.
func (r *resolution) runRendered(ctx context.Context, p *rendering, data map[string]any) (done bool, err error) {
	values, known := p.evaluate(data)
	if !known {
		return false, nil
	}
	for _, name := range p.calls {
		if r.returned[name], err = r.visitRendered(ctx, values[name], cue.MakePath(cue.Str(name)).String(), []string{name}); err != nil {
			return true, err
		}
	}
	r.result, r.rendered = values[expr.ResultField], true
	return true, nil
}

// evaluate returns the fields with calls, and the result if it is one of the others. known is false
// where only CUE can tell what a field is.
func (p *rendering) evaluate(data map[string]any) (values map[string]any, known bool) {
	e := p.program.Begin(stageInputs(data))
	defer e.End()
	values = make(map[string]any, len(p.calls)+1)
	for _, name := range p.data {
		v, s := e.Value(name)
		if s != closure.Present {
			return nil, false
		}
		if name != expr.ResultField {
			continue
		}
		if values[name], known = decoded(v); !known {
			return nil, false
		}
	}
	for _, name := range p.calls {
		v, s := e.Value(name)
		if s != closure.Present {
			return nil, false
		}
		if values[name], known = decoded(v); !known {
			return nil, false
		}
	}
	return values, true
}

// decoded returns a copy of a rendered value as decoded JSON in which calls are renderedCalls, or
// false if it is something else. A struct has no order of its fields, and so no calls.
func decoded(v any) (any, bool) {
	if fields, ok := closure.Fields(v); ok {
		return decodedFields(fields)
	}
	switch v := v.(type) {
	case nil, bool, string, int64, float64, json.Number:
		return v, true
	case renderedCall:
		params, ok := decodedFields(v.Params)
		v.Params = params
		return v, ok
	case []any:
		out := make([]any, len(v))
		for i := range v {
			var ok bool
			if out[i], ok = decoded(v[i]); !ok {
				return nil, false
			}
		}
		return out, true
	case json.Marshaler: // a number
		text, err := v.MarshalJSON()
		if err != nil {
			return nil, false
		}
		n, err := number.Unmarshal(text)
		return n, err == nil
	}
	return nil, false
}

func decodedFields(v map[string]any) (map[string]any, bool) {
	out := make(map[string]any, len(v))
	for name, value := range v {
		d, ok := decoded(value)
		if _, isCall := d.(renderedCall); isCall || !ok {
			return nil, false
		}
		out[name] = d
	}
	return out, true
}

// visitRendered executes the calls in v, in their order. It returns their results in the
// structure of v, without other fields.
func (r *resolution) visitRendered(ctx context.Context, v any, path string, names []string) (any, error) {
	switch v := v.(type) {
	case renderedCall:
		v.Path, v.Scope, v.HandlesErr = path, r.journal.scope, r.runner.template.handlesErr.Contains(names)
		result, err := r.perform(ctx, v.Call)
		if err != nil {
			return nil, err
		}
		return r.selectReturns(&v.Call, result), nil
	case []any:
		returned := make([]any, len(v))
		for i := range v {
			var err error
			at := append(slices.Clone(names), strconv.Itoa(i))
			if returned[i], err = r.visitRendered(ctx, v[i], fmt.Sprintf("%s[%d]", path, i), at); err != nil {
				return nil, err
			}
		}
		return returned, nil
	case map[string]any:
		returned := make(map[string]any, len(v))
		for name := range v {
			returned[name] = nil
		}
		return returned, nil
	}
	return nil, nil
}
