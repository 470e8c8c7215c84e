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
	"maps"
	"slices"
	"strings"
	"sync"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/number"
	"github.com/kubevela/kube-trigger/pkg/redact"
)

// contextFields returns the sorted names of the fields of `context`.
func contextFields() []string {
	fields := append(event.ContextFields(), append(event.BatchFields(), expr.ResultsField, redactedField, stepField)...)
	slices.Sort(fields)
	return fields
}

// ParseComputed parses the CUE that computes properties of an action.
func ParseComputed(text string) (*expr.Computed, diag.List) {
	return expr.ParseComputed(text, contextSchema())
}

// contextSchema returns the CUE of `context`: the event's schema, its batch, results,
// redacted and step.
func contextSchema() string {
	return strings.TrimSuffix(event.Schema, "}") + "\t" + event.BatchSchema + "\n\t" + expr.ResultsField + ": {[string]: _}\n\t" + redactedField + ": {...}\n\t" + stepField + ": int\n}"
}

// redactedField is the field of `context` with the event's data without values of Secrets,
// for templates that send it.
const redactedField = "redacted"

// stepField is the field of `context` with the position of the action among those of the
// trigger, from 0, so that what two actions make for one event has two names.
const stepField = "step"

// publicContext returns a function that returns context without the values of the Secrets in
// the event. It computes them once.
func publicContext(context map[string]any) func() map[string]any {
	return sync.OnceValue(func() map[string]any {
		objects := map[string]any{}
		for _, name := range []string{"data", "old"} {
			if object, ok := context[name]; ok {
				objects[name] = object
			}
		}
		public := maps.Clone(context)
		maps.Copy(public, redact.Public(objects))
		return public
	})
}

// HasResult reports whether actions of the template may have a result: the template has a
// field `result`, which may be a call or depend on a condition.
func (t *Template) HasResult() bool { return t.withResult != nil }

// readResult decodes the field `result`, which is part of the last stage, if it is
// evaluated and exists.
func (r *resolution) readResult() error {
	if !r.runner.template.evaluatesResult || r.rendered {
		return nil
	}
	v := r.root.LookupPath(cue.MakePath(cue.Str(expr.ResultField)))
	if !v.Exists() {
		return nil
	}
	data, err := v.MarshalJSON()
	if err != nil {
		return Terminal(r.explain(r.evaluationError(allErrors(v, err))))
	}
	result, err := number.Unmarshal(data)
	r.result = r.renaming.Restore(result)
	return err
}

// MissingInResult returns the problem of a path of fields that no result of the template
// has, or "".
func (t *Template) MissingInResult(path []string) string { return t.resultFields.Missing(path) }

// CheckData returns the references of the template to fields of the data that no event of
// a form has. Their positions are in the template.
func (t *Template) CheckData(form event.Form) (list expr.Findings) {
	_ = t.trees.whole.read(t.parseSource, func(file *ast.File) { list = expr.CheckTemplate(file, form) }) // Parse reports errors
	return list
}

// UnknownResults calls validate with the name of each result that the template, or a
// message template in properties, refers to as `context.results.NAME`, and with the path
// of fields below it. It returns a
// diagnostic for each message that validate returns; "" means that the name is valid.
// Diagnostics without a path have their position in the template.
func (t *Template) UnknownResults(properties map[string]any, validate func(name string, fields []string) string) diag.List {
	return append(unknownResults(t.resultReferences, validate), t.messages.CheckResults(properties, validate)...)
}

// UnknownComputedResults is UnknownResults for computed properties. The positions are
// those in their text.
func UnknownComputedResults(c *expr.Computed, validate func(name string, fields []string) string) diag.List {
	return unknownResults(c.Results, validate)
}

func unknownResults(references []expr.ResultReference, validate func(name string, fields []string) string) diag.List {
	var list diag.List
	for _, r := range references {
		if text := validate(r.Name, r.Fields); text != "" {
			list = append(list, diagnosticAt(r.Pos, "context.%s.%s: %s", expr.ResultsField, r.Name, text))
		}
	}
	return list
}
