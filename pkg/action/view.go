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
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// DefaultExport is the field of a view that is its value, where neither the view
// nor whoever evaluates it names another.
const DefaultExport = "status"

// View is a template that is evaluated for its value, instead of for what its calls
// do. There is no event: its `context` is empty. It is safe for concurrent use.
type View struct{ runner *runner }

// View makes a view of the template. The paths in the problems are relative to
// the properties, which are the values for its `parameter`.
func (t *Template) View(o Options) (*View, diag.List) {
	// A value may depend on all that calls return, or be it.
	whole := *t
	if t.withResult != nil {
		whole = *t.withResult // a view may export its result
	}
	whole.stages, whole.parameterDecls, whole.returns = []Stage{{}}, nil, expr.All()
	a, problems := whole.Compile(o)
	if len(problems) > 0 {
		return nil, problems
	}
	r, _ := a.(*runner)
	return &View{r}, nil
}

// viewProperties returns the properties of a template that hold the CUE of a view: those
// marked with `@view()`.
func viewProperties(template cue.Value) []string {
	var names []string
	it, err := template.LookupPath(cue.ParsePath(parameterSchema)).Fields(cue.Optional(true))
	for err == nil && it.Next() {
		if a := it.Value().Attribute("view"); a.Err() == nil {
			names = append(names, it.Selector().Unquoted())
		}
	}
	return names
}

// checkViews returns what is wrong with the views among properties.
func (t *Template) checkViews(properties map[string]any) diag.List {
	var list diag.List
	for _, name := range t.viewProperties {
		if text, _ := properties[name].(string); text != "" {
			_, problems := Parse(name, text)
			list = append(list, problems.WithPrefix(name)...)
		}
	}
	return list
}

// Evaluate makes the calls, and returns the value at the path that export is, as
// decoded JSON. Where it is empty, the view's field `export` says which it is.
// Errors that Terminal made are those of the view itself.
func (v *View) Evaluate(ctx context.Context, export string) (value any, err error) {
	t := v.runner.template
	bases, err := v.runner.acquire()
	if err != nil {
		return nil, Terminal(err)
	}
	defer v.runner.release(bases)
	defer func() {
		if p := recover(); p != nil {
			value, err = nil, Terminal(fmt.Errorf("template %q panicked while it was evaluated", t.name))
		}
	}()
	run := &resolution{runner: v.runner, journal: NewJournal(), context: map[string]any{}}
	if err := run.resolve(ctx, bases); err != nil {
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
		return nil, Terminal(fmt.Errorf("export %q is not a path", export))
	}
	found := run.root.LookupPath(path)
	if !found.Exists() {
		return nil, Terminal(fmt.Errorf("template %q has no %s", t.name, export))
	}
	text, err := found.MarshalJSON()
	if err != nil {
		return nil, Terminal(t.evaluationError(err))
	}
	if err := json.Unmarshal(text, &value); err != nil {
		return nil, err
	}
	return value, nil
}
