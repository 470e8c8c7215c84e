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

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/workflowstep"
)

const (
	// actionType is the type of a definition of an action, and stepType that of one of a step
	// of a workflow.
	actionType = "trigger-action"
	stepType   = "workflow-step"
	// templateField is the field of a definition with the template.
	templateField = "template"
)

// definition is a file in the format of `vela def`: imports, a field with metadata that is
// called like the definition, and the field `template`.
type definition struct {
	metadata, template *ast.Field
	// others are all other declarations.
	others []ast.Decl
}

// TypeOf returns the type of the action that a file called name.cue defines: "step/NAME" for
// the definition of a step of a workflow, else the name.
func TypeOf(name, source string) string {
	file, err := expr.ParseSyntax(name+".cue", source)
	if err == nil && definitionOf(file).kind() == stepType {
		return workflowstep.Step{Name: name}.String()
	}
	return name
}

// kind returns the type that d names: actionType, stepType, or another one.
func (d definition) kind() string {
	if d.metadata == nil {
		return ""
	}
	return textOf(member(d.metadata.Value, "type"))
}

// unwrapDefinition returns the template in source, which may be in the format of `vela def`.
// What is not part of the template is blank, so that positions are the same.
func unwrapDefinition(name, source string) (string, diag.List) {
	file, err := expr.ParseSyntax(name+".cue", source)
	if err != nil {
		return source, nil //nolint:nilerr // parse reports it
	}
	d := definitionOf(file)
	if d.metadata == nil && d.template == nil {
		return source, nil
	}
	if list := d.check(name); len(list) > 0 {
		return source, list
	}
	body, _ := d.template.Value.(*ast.StructLit)
	text := []byte(source)
	blank(text, d.metadata.Pos(), d.metadata.End())
	blank(text, d.template.Pos(), body.Lbrace.Add(1))
	blank(text, body.Rbrace, body.Rbrace.Add(1))
	return string(text), nil
}

// blank replaces the text between two positions by spaces, except ends of lines.
func blank(text []byte, from, to token.Pos) {
	for i := from.Offset(); i < min(to.Offset(), len(text)); i++ {
		if text[i] != '\n' {
			text[i] = ' '
		}
	}
}

// definitionOf returns the parts of a definition in file. Without metadata and template it
// is in another format.
func definitionOf(file *ast.File) definition {
	var d definition
	own := false
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.ImportDecl, *ast.Package, *ast.CommentGroup, *ast.Attribute:
			continue
		case *ast.Field:
			own = own || expr.LabelName(decl.Label) == "parameter"
			body, ok := decl.Value.(*ast.StructLit)
			if ok && expr.LabelName(decl.Label) == templateField && d.template == nil {
				d.template = decl
				continue
			}
			if ok && d.metadata == nil && textOf(member(body, "type")) != "" {
				d.metadata = decl
				continue
			}
		}
		d.others = append(d.others, decl)
	}
	isDefinition := slices.Contains([]string{actionType, stepType}, d.kind())
	hasTemplate := d.template != nil && !own && member(d.template.Value, "parameter") != nil
	if isDefinition || hasTemplate || d.metadata != nil && d.template != nil && len(d.others) == 0 {
		return d
	}
	return definition{}
}

// check returns what is wrong with the definition of the action name.
func (d definition) check(name string) diag.List {
	var list diag.List
	add := func(at ast.Node, format string, args ...any) {
		list = append(list, diagnosticAt(at.Pos(), format, args...))
	}
	kind, title := actionType, "an action"
	step, isStep := workflowstep.Parse(name)
	if isStep {
		name, kind, title = step.Name, stepType, "a step"
	}
	switch {
	case d.metadata == nil:
		add(d.template, "%s belongs to a definition; add %q: {type: %q} beside it, or move its fields to the top level", templateField, name, kind)
		return list
	case d.template == nil:
		add(d.metadata, "a definition needs a field %s beside it, a struct with the parameter and the calls", templateField)
		return list
	}
	called := expr.LabelName(d.metadata.Label)
	if !slices.Contains([]string{called, actionType + "-" + called}, name) {
		add(d.metadata, "the definition is called %q, and the action %q; give both the same name", called, name)
	}
	known := []string{"alias", "annotations", "attributes", "description", "labels", "type"}
	body, _ := d.metadata.Value.(*ast.StructLit)
	for _, decl := range body.Elts {
		f, ok := decl.(*ast.Field)
		if !ok {
			continue
		}
		switch label := expr.LabelName(f.Label); {
		case label == "type" && textOf(f.Value) != kind:
			add(f.Value, "%s is of type %q, not %q", title, kind, textOf(f.Value))
		case label == "attributes" && !isStep && !isEmptyStruct(f.Value):
			add(f.Value, "an action has no attributes; leave them out")
		case !slices.Contains(known, label):
			add(f.Label, "a definition has no %q%s; it has %s", label, diag.Suggest(label, known), strings.Join(known, ", "))
		}
	}
	for _, other := range d.others {
		add(other, "is beside the %s of the definition; move it into the %[1]s", templateField)
	}
	return list
}

// member returns the value of a field of x, a struct, or nil.
func member(x ast.Expr, name string) ast.Expr {
	body, ok := x.(*ast.StructLit)
	if !ok {
		return nil
	}
	for _, decl := range body.Elts {
		if f, ok := decl.(*ast.Field); ok && expr.LabelName(f.Label) == name {
			return f.Value
		}
	}
	return nil
}

// textOf returns the text of x if it is a string, else "".
func textOf(x ast.Expr) string {
	lit, ok := x.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	text, err := literal.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return text
}

func isEmptyStruct(x ast.Expr) bool {
	body, ok := x.(*ast.StructLit)
	return ok && len(body.Elts) == 0
}
