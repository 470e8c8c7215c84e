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
	"fmt"

	"cuelang.org/go/cue"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/number"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
	"github.com/kubevela/kube-trigger/pkg/redact"
)

// DefaultExport is the path of a view's value if neither the query nor the view's field
// `export` sets another.
const DefaultExport = "status"

// View is a template that is evaluated for its value. Its `context` is empty. It is
// safe for concurrent use.
type View struct{ runner *Action }

// View returns the view of the template with o.Properties as `parameter`. The paths in
// the diagnostics are relative to the properties.
func (t *Template) View(o Options) (*View, diag.List) {
	// The value may contain all that calls return.
	full := *t
	if t.withResult != nil {
		full = *t.withResult // the export may be the result
	}
	full.stages, full.parameterDecls, full.returns = []expr.Stage{{}}, nil, expr.All()
	a, diags := full.Compile(o)
	if len(diags) > 0 {
		return nil, diags
	}
	a.names = nil // a query may select any field
	return &View{a}, nil
}

// Uses returns what the view reads, as Action.Uses does.
func (v *View) Uses() (uses []Use, unknown []string) { return v.runner.Uses(Events{}) }

// viewProperties returns the properties of a template that contain the CUE of a view,
// marked by the attribute `@view()`.
func viewProperties(template cue.Value) []string {
	var names []string
	it, err := template.LookupPath(cue.ParsePath(expr.ParameterSchema)).Fields(cue.Optional(true))
	for err == nil && it.Next() {
		if a := it.Value().Attribute("view"); a.Err() == nil {
			names = append(names, it.Selector().Unquoted())
		}
	}
	return names
}

// checkViews parses the views in properties and returns their diagnostics.
func (t *Template) checkViews(properties map[string]any) diag.List {
	var list diag.List
	for _, name := range t.viewProperties {
		if text, _ := properties[name].(string); text != "" {
			_, diags := Parse(name, text)
			list = append(list, diags.WithPrefix(name)...)
		}
	}
	return list
}

// Evaluate executes the calls of the view and returns the value at the path export as
// decoded JSON. If export is empty, the path is the view's field `export`, else
// DefaultExport. Errors of the view itself are terminal.
func (v *View) Evaluate(ctx context.Context, export string) (value any, err error) {
	t := v.runner.template
	c := &borrowed{action: v.runner}
	defer c.end()
	ctx, secrets := redact.Begin(ctx)
	defer func() { err = secrets.Error(err) }()
	defer t.terminalPanic(&err)
	defer panicerr.Recover(&err)
	run := &resolution{runner: v.runner, journal: &journal{}, context: map[string]any{}, public: publicContext(nil)}
	if err := run.resolve(ctx, c); err != nil {
		return nil, classify(err)
	}
	if named, err := run.root.LookupPath(cue.ParsePath("export")).String(); err == nil && export == "" {
		export = named
	}
	if export == "" {
		export = DefaultExport
	}
	path := cue.ParsePath(export)
	if err := path.Err(); err != nil {
		return nil, Terminal(fmt.Errorf("invalid export %q: not a path", export))
	}
	found := run.root.LookupPath(path)
	if !found.Exists() {
		return nil, Terminal(fmt.Errorf("template %q has no %s", t.name, export))
	}
	text, err := found.MarshalJSON()
	if err != nil {
		return nil, Terminal(run.explain(t.evaluationError(err)))
	}
	return number.Unmarshal(text)
}
