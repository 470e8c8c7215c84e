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
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr/closure"
	"github.com/kubevela/kube-trigger/pkg/expr/types"
)

// Computed is the CUE that computes properties of an action from `context`. It is
// immutable and safe for concurrent use.
type Computed struct {
	text string
	// Context are the fields of `context` that it depends on.
	Context FieldSet
	// Results are its references to the results of other actions.
	Results  []ResultReference
	embedded Embedded
	// partial is set if the names of its fields depend on the event.
	partial bool
}

const (
	// computedFile is the name of its file in positions.
	computedFile = "cue"
	// computedField is the field of the compiled file with the properties.
	computedField = "$properties"
)

// ParseComputed parses the CUE of computed properties. Packages of the standard library
// need no import. schema is the CUE of `context`.
func ParseComputed(text, schema string) (*Computed, diag.List) {
	c := &Computed{text: text}
	file, err := c.parse("context: _")
	if err != nil {
		return nil, syntaxHints(computedDiagnostics(err), text)
	}
	if list := CheckCalls(file); len(list) > 0 {
		return nil, list
	}
	for _, spec := range file.Imports {
		if path := importPath(spec); !slices.Contains(types.StandardLibrary(), path) {
			return nil, diag.List{{Line: spec.Pos().Line(), Column: spec.Pos().Column(), Message: fmt.Sprintf("cannot import %q: only packages of CUE's standard library are available", path)}}
		}
	}
	c.Context = Dependencies("context", &ast.File{Decls: slices.DeleteFunc(slices.Clone(file.Decls), func(d ast.Decl) bool {
		f, ok := d.(*ast.Field)
		return ok && LabelName(f.Label) == "context" // the declaration of all of it
	})})
	c.Results = ResultReferences(file)
	c.embedded = EmbeddedElements(file)
	c.partial = slices.ContainsFunc(file.Decls, func(d ast.Decl) bool {
		f, ok := d.(*ast.Field)
		return ok && LabelName(f.Label) == computedField && hasDynamicFields(f)
	})
	if _, err := c.Build(cuecontext.New(), schema); err != nil {
		return nil, computedDiagnostics(err)
	}
	return c, nil
}

// parse returns the syntax tree with the rules for absent values: imports, a struct with the
// declarations of the text, so that a property named context does not hide the event, and
// the declaration of context.
func (c *Computed) parse(context string) (*ast.File, error) {
	file, err := ParseFile(computedFile, c.text, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	var head, body []ast.Decl
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.ImportDecl:
			head = append(head, d)
		case *ast.Package:
		default:
			body = append(body, d)
		}
	}
	frame, err := parser.ParseFile("frame.cue", context+"\n"+AbsentField+": bool")
	if err != nil {
		return nil, err
	}
	properties := &ast.Field{Label: ast.NewIdent(computedField), Value: &ast.StructLit{Elts: body}}
	file.Decls = slices.Concat(head, []ast.Decl{properties})
	if err := DefineFunctions(file); err != nil {
		return nil, err
	}
	if err := ApplyRules(file); err != nil {
		return nil, err
	}
	at := slices.Index(file.Decls, ast.Decl(properties))
	file.Decls = slices.Insert(file.Decls, at, frame.Decls...)
	return file, Resolve(file)
}

// hasDynamicFields reports whether a struct in n has fields whose names are computed, or
// which a condition or a loop adds.
func hasDynamicFields(n ast.Node) bool {
	dynamic := false
	ast.Walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.StructLit:
			dynamic = dynamic || slices.ContainsFunc(n.Elts, func(d ast.Decl) bool {
				switch d := d.(type) {
				case *ast.Comprehension, *ast.EmbedDecl:
					return true
				case *ast.Field:
					return isComputed(d.Label)
				}
				return false
			})
		case *ast.ListLit:
			return false
		}
		return !dynamic
	}, nil)
	return dynamic
}

// Check returns what is probably not meant of events of a form, with the positions in the
// text.
func (c *Computed) Check(form event.Form) Findings {
	return append(Check(c.text, form), interpolationWarnings(c.text)...)
}

// Partial reports whether the names of its fields depend on the event.
func (c *Computed) Partial() bool { return c.partial }

// Build compiles it in ctx. schema is the CUE of `context`; empty for any value.
func (c *Computed) Build(ctx *cue.Context, schema string) (cue.Value, error) {
	context := "context: _"
	if schema != "" {
		context = "#context: " + schema + "\ncontext: #context"
	}
	file, err := c.parse(context)
	if err != nil {
		return cue.Value{}, err
	}
	inst := build.NewContext().NewInstance("", nil)
	if err := inst.AddSyntax(file); err != nil {
		return cue.Value{}, err
	}
	v := ctx.BuildInstance(inst)
	if err := v.Validate(); err != nil {
		return cue.Value{}, err
	}
	return v, nil
}

// Compile compiles it. EvaluateComputed evaluates the program. The error is an
// *closure.UnsupportedError.
func (c *Computed) Compile() (*closure.Program, error) {
	file, err := c.parse("context: _")
	if err != nil {
		return nil, err
	}
	inputs := map[string]closure.Input{}
	for _, name := range []string{"context", AbsentField} {
		inputs[name] = func(c closure.Context) (any, bool) { return c.Field(name) }
	}
	return closure.Compile(file, []string{computedField}, closure.Options{Inputs: inputs})
}

// EvaluateComputed returns the properties that the program of a Computed computes.
func EvaluateComputed(p *closure.Program, inputs closure.Context) (any, closure.Status) {
	return p.Evaluate(inputs, computedField)
}

// Properties returns the computed properties of a value of Build, which need not be
// concrete.
func Properties(built cue.Value) cue.Value {
	return built.LookupPath(cue.MakePath(cue.Str(computedField)))
}

// Evaluate returns the properties for context as JSON. built is a value of Build.
func (c *Computed) Evaluate(built cue.Value, context map[string]any) ([]byte, error) {
	data := Encode(built.Context(), map[string]any{"context": c.Context.Select(context), AbsentField: false}, c.embedded)
	return Properties(built.Unify(data)).MarshalJSON()
}

// computedDiagnostics returns the diagnostics of an error with positions in the text.
func computedDiagnostics(err error) diag.List {
	return ErrorDiagnostics(err, ErrorOptions{
		File: isComputedFile,
		Message: func(e errors.Error) string {
			format, args := e.Msg()
			if format == referenceNotFound && len(args) == 1 {
				return unknownName(fmt.Sprint(args[0]), nil)
			}
			return fmt.Sprintf(format, args...)
		},
	})
}

func isComputedFile(name string) bool { return name == computedFile }

// ComputedError returns the first error of an evaluation, with its position in the text
// and without values of the event.
func (c *Computed) ComputedError(err error) error {
	list := ErrorDiagnostics(err, ErrorOptions{File: isComputedFile, Message: func(e errors.Error) string {
		format, args := e.Msg()
		args = slices.Clone(args)
		for i, a := range args {
			if text := fmt.Sprint(a); !strings.Contains(c.text, text) {
				args[i] = "…"
			}
		}
		return fmt.Sprintf(format, args...)
	}})
	if len(list) == 0 {
		return err
	}
	return fmt.Errorf("cue:%d:%d: %s", list[0].Line, list[0].Column, list[0].Message)
}

// Position returns where the text declares the property at path; 0 if it does not.
func (c *Computed) Position(built cue.Value, path []string) (line, column int) {
	var pos token.Pos
	v := Properties(built)
	for _, name := range path {
		if v = v.LookupPath(cue.MakePath(cue.Str(name))); !v.Exists() {
			break
		}
		pos = v.Pos()
	}
	return pos.Line(), pos.Column()
}
