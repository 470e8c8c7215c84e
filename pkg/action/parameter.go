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
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"

	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/expr/closure"
	"github.com/kubevela/kube-trigger/pkg/expr/gotemplate"
	"github.com/kubevela/kube-trigger/pkg/number"
)

// evaluateParameter evaluates `parameter` once, if it does not depend on the event.
func (r *Action) evaluateParameter() error {
	properties := []byte("{}")
	if r.options.Properties != nil {
		var err error
		if properties, err = json.Marshal(r.options.Properties); err != nil {
			return err
		}
	}
	r.properties = properties
	if r.options.Computed == nil {
		if text, ok := r.template.parameter.Complete(r.options.Properties); ok {
			r.parameter = escapeByteOrderMarks(text)
			return r.prepareMessages([]byte(text))
		}
	}
	value, err := r.buildParameter(cuecontext.New())
	if err != nil || r.options.Computed != nil {
		return err
	}
	parameter := value.LookupPath(cue.ParsePath("parameter"))
	if r.parameter = expr.ConcreteSyntax(parameter); r.parameter == "" {
		return nil
	}
	text, err := parameter.MarshalJSON()
	if err != nil {
		return err
	}
	return r.prepareMessages(text)
}

// escapeByteOrderMarks returns JSON that CUE can parse: it refuses byte order marks.
func escapeByteOrderMarks(text string) string { return strings.ReplaceAll(text, "\ufeff", `\ufeff`) }

// buildParameter compiles the schema of the parameter with the user's properties.
func (r *Action) buildParameter(ctx *cue.Context) (cue.Value, error) {
	value, err := r.template.build(ctx, buildOptions{stage: expr.Stage{Declarations: r.template.parameterDecls}})
	if err != nil {
		return value, err
	}
	// Compiled from JSON, so that integers stay integers.
	properties := ctx.CompileString(escapeByteOrderMarks(string(r.properties)), cue.Filename("properties"))
	value = value.FillPath(cue.ParsePath("parameter"), properties)
	return value, value.LookupPath(cue.ParsePath("parameter")).Validate()
}

func decodeParameter(text []byte) (map[string]any, error) {
	values, err := number.UnmarshalObject(text)
	if err != nil {
		return nil, errors.New("parameter must be a struct")
	}
	return values, nil
}

// parameterProgram completes a parameter without CUE.
type parameterProgram struct {
	computed *closure.Program
	schema   *closure.Schema
}

// newParameterProgram compiles the properties that depend on the event, and the schema of the
// parameter. The error is an *closure.UnsupportedError where that is left to CUE.
func (r *Action) newParameterProgram() (*parameterProgram, error) {
	if r.options.Computed == nil {
		return nil, &closure.UnsupportedError{What: "a default that depends on the event"}
	}
	var (
		out parameterProgram
		err error
	)
	if out.computed, err = r.options.Computed.Compile(); err != nil {
		return nil, err
	}
	if out.schema, err = r.template.parameter.Compiled(); err != nil {
		return nil, err
	}
	return &out, nil
}

// complete returns the computed properties, and the parameter with them. ok is false where only
// CUE can tell what they are.
func (p *parameterProgram) complete(properties, context map[string]any) (computed, parameter map[string]any, ok bool) {
	v, s := expr.EvaluateComputed(p.computed, stageInputs(map[string]any{"context": context, expr.AbsentField: false}))
	if s != closure.Present {
		return nil, nil, false
	}
	v, _ = decoded(v)
	if computed, ok = v.(map[string]any); !ok {
		return nil, nil, false
	}
	all, ok := united(properties, computed)
	if !ok {
		return nil, nil, false
	}
	completed, s := p.schema.Complete(all)
	if s != closure.Present {
		return nil, nil, false
	}
	v, ok = decoded(completed)
	parameter, _ = v.(map[string]any)
	return computed, parameter, ok && parameter != nil
}

// united returns a struct with the fields of both a and b; false if another value than a struct is
// in both.
func united(a, b map[string]any) (map[string]any, bool) {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]any{}
	}
	for name, v := range b {
		present, has := out[name]
		x, isStruct := present.(map[string]any)
		y, also := v.(map[string]any)
		switch {
		case !has:
			out[name] = v
		case !isStruct || !also:
			return nil, false
		default:
			both, ok := united(x, y)
			if !ok {
				return nil, false
			}
			out[name] = both
		}
	}
	return out, true
}

// completeParameter evaluates a parameter that depends on the event, and renders its
// message templates.
func (r *resolution) completeParameter(b *borrowed) error {
	if p := r.runner.parameterProgram; p != nil {
		if computed, parameter, ok := p.complete(r.runner.options.Properties, r.context); ok {
			return r.renderParameter(parameter, computed)
		}
	}
	c, err := b.get()
	if err != nil {
		return err
	}
	filled := map[string]any{"context": r.runner.template.context.Select(r.context)}
	var computed map[string]any
	if program := r.runner.options.Computed; program != nil {
		text, err := program.Evaluate(c.computed, r.context)
		if err != nil {
			return program.ComputedError(err)
		}
		if computed, err = number.UnmarshalObject(text); err != nil {
			return errors.New("cue: must be a struct")
		}
		filled["parameter"] = computed
	}
	value := c.parameter.Unify(expr.Encode(c.parameter.Context(), filled, r.runner.template.embedded))
	text, err := value.LookupPath(cue.ParsePath("parameter")).MarshalJSON()
	var values map[string]any
	if err == nil {
		values, err = decodeParameter(text)
	}
	if err != nil && r.runner.options.Computed == nil {
		// The template may not need what is missing.
		r.outputErr = r.evaluationError(err)
		r.outputs["parameter"] = r.runner.options.Properties
		return nil
	}
	if err != nil {
		return r.evaluationError(err)
	}
	return r.renderParameter(values, computed)
}

// renderParameter renders the message templates in the values of the parameter, of which computed
// are the computed ones.
func (r *resolution) renderParameter(values, computed map[string]any) (err error) {
	r.outputs["parameter"] = r.runner.template.messages.Replace(values, func(m expr.Message) string {
		if m.IsComputed(computed) {
			return gotemplate.Escape(m.Source, m.Place)
		}
		parsed, parseErr := r.runner.parsed.get(m)
		if parseErr != nil {
			err = fmt.Errorf("template %q: %w", r.runner.template.name, parseErr)
			return ""
		}
		text, renderErr := r.render(parsed)
		if renderErr != nil {
			err = renderErr
		}
		return text
	})
	return err
}
