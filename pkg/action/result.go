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

	"cuelang.org/go/cue"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// contextFields returns the sorted names of the fields of `context`.
func contextFields() []string {
	fields := append(event.ContextFields(), append(event.BatchFields(), expr.ResultsField)...)
	slices.Sort(fields)
	return fields
}

// contextSchema returns the CUE of `context`: the event's schema, its batch and results.
func contextSchema() string {
	return strings.TrimSuffix(event.Schema, "}") + "\t" + event.BatchSchema + "\n\t" + expr.ResultsField + ": {[string]: _}\n}"
}

// HasResult reports whether actions of the template have a result: the template has a
// field `result` that is data, not a call.
func (t *Template) HasResult() bool { return t.withResult != nil }

// readResult decodes the field `result`, which is part of the last stage, if it is
// evaluated.
func (r *resolution) readResult() error {
	if !r.runner.template.evaluatesResult {
		return nil
	}
	data, err := r.root.LookupPath(cue.MakePath(cue.Str(expr.ResultField))).MarshalJSON()
	if err != nil {
		return Terminal(r.explain(r.evaluationError(err)))
	}
	err = json.Unmarshal(data, &r.result)
	r.result = r.renaming.Restore(r.result)
	return err
}

// UnknownResults calls validate with the name of each result that the template, or a
// Go template in properties, refers to as `context.results.NAME`. It returns a
// diagnostic for each message that validate returns; "" means that the name is valid.
// Diagnostics without a path have their position in the template.
func (t *Template) UnknownResults(properties map[string]any, validate func(name string) string) diag.List {
	var list diag.List
	for _, r := range t.resultReferences {
		if text := validate(r.Name); text != "" {
			list = append(list, diagnosticAt(r.Pos, "context.%s.%s: %s", expr.ResultsField, r.Name, text))
		}
	}
	for _, p := range t.goTemplatePaths {
		list = append(list, expr.CheckResultReferences(p, properties, validate)...)
	}
	return list
}
