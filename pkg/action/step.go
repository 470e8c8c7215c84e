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
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cuelang.org/go/cue/ast"
	"github.com/kubevela/workflow/pkg/cue/model"
	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	"github.com/oam-dev/kubevela-core-api/pkg/oam"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/name"
	"github.com/kubevela/kube-trigger/pkg/workflowstep"
)

// refusedStep returns why an action cannot be a step; empty if it can. These are the steps
// that KubeVela's controller implements: their definitions have no calls.
func refusedStep(s workflowstep.Step, source string) string {
	if strings.TrimSpace(source) == "" {
		return "the definition has no template in CUE"
	}
	switch s.Name {
	case "step-group":
		return "an action cannot be a group of steps; list the steps in `actions`"
	case "apply-component", "builtin-apply-component":
		return "an action cannot apply a component of an Application; change the Application instead, which deploys it"
	}
	return ""
}

// stepContextFields returns the fields of `context` that a workflow gives its steps.
func stepContextFields() []string {
	return []string{
		model.ContextName, model.ContextNamespace, model.ContextPublishVersion, model.ContextSpanID,
		model.ContextStepName, model.ContextStepSessionID, model.ContextWorkflowName,
	}
}

// contextFields returns the sorted names of the fields of `context` in t.
func (t *Template) contextFields() []string {
	fields := contextFields()
	if t.step != nil {
		fields = append(fields, stepContextFields()...)
		slices.Sort(fields)
	}
	return fields
}

// contextSchema returns the CUE of `context` in t.
func (t *Template) contextSchema() string {
	if t.step == nil {
		return contextSchema()
	}
	schema := strings.TrimSuffix(contextSchema(), "}")
	for _, field := range stepContextFields() {
		schema += "\t" + field + ": string\n"
	}
	return schema + "}"
}

// sessionDigits is the length of `context.stepSessionID`, which is part of the names of objects.
const sessionDigits = 10

// addStepContext adds to `context` what a workflow gives its steps. Repeated handling of an
// event adds the same.
func (r *Action) addStepContext(context map[string]any, ev event.Event, position int32) {
	of, step := r.options.Trigger, r.template.step
	session := name.Hash(fmt.Sprintf("%s %s %d", of, ev.ID, position), sessionDigits)
	subject, version := cmp.Or(of.Service, of.Name), ""
	if app, ok := applicationIn(ev.Data); ok {
		subject, version = app.name, app.publishVersion
	}
	context[model.ContextName], context[model.ContextNamespace] = subject, of.Namespace
	context[model.ContextPublishVersion], context[model.ContextWorkflowName] = version, of.Name
	context[model.ContextStepName] = cmp.Or(r.options.StepName, step.Name)
	context[model.ContextStepSessionID], context[model.ContextSpanID] = session, of.Name+"."+session
}

// application is what an event about an Application tells of it.
type application struct{ name, publishVersion string }

// applicationIn returns the Application that data is; false if it is another object.
func applicationIn(data map[string]any) (application, bool) {
	o := &unstructured.Unstructured{Object: data}
	if o.GroupVersionKind().GroupKind() != v1beta1.ApplicationKindVersionKind.GroupKind() {
		return application{}, false
	}
	return application{name: o.GetName(), publishVersion: oam.GetPublishVersion(o)}, o.GetName() != ""
}

// waiting returns err as an error of a step that waits, if it is one: a condition was not met.
func (r *Action) waiting(ctx context.Context, err error, j *journal) error {
	if unmet := (*provider.WaitError)(nil); r.template.step == nil || !errors.As(err, &unmet) {
		return err
	}
	begins := !j.waits()
	if begins {
		j.waitingSince = time.Now()
	}
	if j.save != nil && (begins || j.unsaved) {
		if err := j.save(ctx); err != nil {
			return err
		}
	}
	return &waitingError{err, j.waitingSince}
}

// waitingError is the error of a step that waits for a condition. The engine runs the step
// again later.
type waitingError struct {
	error
	since time.Time
}

func (e *waitingError) Unwrap() error { return e.error }

// WaitingSince returns when the wait began.
func (e *waitingError) WaitingSince() time.Time { return e.since }

// adaptStep drops the imports that file does not use, which KubeVela tolerates, opens the empty
// structs of the parameter, and adds the field `result`: what the step outputs.
func adaptStep(file *ast.File, l library) error {
	expr.DropUnusedImports(file)
	openParameter(file)
	if result := stepResult(file, l); result != nil {
		file.Decls = append(file.Decls, &ast.Field{Label: ast.NewIdent(expr.ResultField), Value: result})
	}
	return expr.Resolve(file)
}

// openParameter writes {} within `parameter` as {...}: KubeVela does not close the parameter, so
// that it allows any fields there.
func openParameter(file *ast.File) {
	for _, d := range file.Decls {
		f, ok := d.(*ast.Field)
		if !ok || expr.LabelName(f.Label) != model.ParameterFieldName || isEmptyStruct(f.Value) {
			continue
		}
		ast.Walk(f.Value, func(n ast.Node) bool {
			if body, ok := n.(*ast.StructLit); ok && len(body.Elts) == 0 {
				body.Elts = []ast.Decl{&ast.Ellipsis{}}
			}
			return true
		}, nil)
	}
}

// stepResult returns the value of `result`: `outputs`, `output`, or what the call `output`
// returns. It is nil if file has neither, or a `result` of its own.
func stepResult(file *ast.File, l library) ast.Expr {
	fields := map[string]ast.Expr{}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.Field); ok {
			fields[expr.LabelName(f.Label)] = f.Value
		}
	}
	output := fields[model.OutputFieldName]
	switch {
	case fields[expr.ResultField] != nil:
		return nil
	case fields[model.OutputsFieldName] != nil:
		return ast.NewIdent(model.OutputsFieldName)
	case output == nil:
		return nil
	case returns(output, newFunctionFinder(file, l)):
		return ast.NewSel(ast.NewIdent(model.OutputFieldName), "$returns")
	}
	return ast.NewIdent(model.OutputFieldName)
}

// returns reports whether x is a call whose result is in `$returns`.
func returns(x ast.Expr, functionAt functionFinder) bool {
	return slices.ContainsFunc(conjuncts(x), func(x ast.Expr) bool {
		sel, ok := x.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		call, ok := functionAt(sel)
		return ok && call.Provider != "op" && call.Provider != "query"
	})
}
