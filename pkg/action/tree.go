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

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/parser"

	"github.com/kubevela/kube-trigger/pkg/expr"
)

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
	packages, err := t.library.imports(file)
	return tree{file, packages, in}, err
}

// stageSyntax returns the declarations of the stage f.stage, and the inputs of the stage.
func (t *Template) stageSyntax(f buildOptions) (*ast.File, inputs, error) {
	in := inputs{context: t.context}
	source := "#context: " + f.context + "\ncontext: #context"
	if f.context == "" {
		source = "context: _"
	}
	for _, name := range f.stage.Inputs {
		source += "\n" + name + ": _"
	}
	for i := range f.messages {
		source += "\n" + expr.MessageField(i) + ": string"
	}
	dropped := expr.NameSet{}
	if f.parameter == "" {
		source += "\nparameter: " + expr.ParameterSchema
	} else {
		source += "\nparameter: " + f.parameter
		dropped[expr.ParameterSchema] = true
	}
	source += "\n" + expr.AbsentField + ": bool"
	file, err := t.copyStage(f.stage, dropped)
	if err != nil {
		return nil, in, err
	}
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

// build compiles the tree. With an error, the value is what could be compiled.
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
		return v, err
	}
	return v, nil
}

// velaPackage is a `vela/*` package that a template imports.
type velaPackage struct {
	path   string
	syntax *ast.File
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
