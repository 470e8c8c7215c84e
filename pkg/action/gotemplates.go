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
	"strings"

	"cuelang.org/go/cue"

	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/expr/gotemplate"
)

// goTemplate is a property that the template executes as a Go template.
type goTemplate struct {
	// text is the value of the property; empty if it has none, or if it depends on the
	// event.
	text string
	// parsed is nil where text has no actions.
	parsed *gotemplate.Template
}

// parseGoTemplates parses the Go templates in the parameter of root.
func (r *Action) parseGoTemplates(root cue.Value) error {
	for i := range r.template.goTemplatePaths {
		text, _ := r.goTemplateText(root, i)
		t, err := parseGoTemplate(text)
		if err != nil {
			return fmt.Errorf("%s: %w", r.goTemplateName(i), err)
		}
		r.goTemplates = append(r.goTemplates, t)
	}
	return nil
}

func parseGoTemplate(text string) (goTemplate, error) {
	t := goTemplate{text: text}
	if !strings.Contains(text, "{{") {
		return t, nil
	}
	var err error
	t.parsed, err = gotemplate.Parse(text)
	return t, err
}

// goTemplateText returns the value of the Go template i in the parameter of root. ok is
// false if it has none.
func (r *Action) goTemplateText(root cue.Value, i int) (text string, ok bool) {
	selectors := []cue.Selector{cue.Str("parameter")}
	for _, name := range r.template.goTemplatePaths[i] {
		selectors = append(selectors, cue.Str(name))
	}
	text, err := root.LookupPath(cue.MakePath(selectors...)).String()
	return text, err == nil
}

func (r *Action) goTemplateName(i int) string {
	return strings.Join(r.template.goTemplatePaths[i], ".")
}

// executeGoTemplates executes the Go templates whose text does not depend on the event.
// One that fails has no output, which fails the action where the template needs it.
func (r *resolution) executeGoTemplates() {
	r.outputs = map[string]any{}
	for i, t := range r.runner.goTemplates {
		if t.text != "" {
			r.executeGoTemplate(i, t)
		}
	}
}

func (r *resolution) executeGoTemplate(i int, t goTemplate) {
	output, err := t.text, error(nil)
	if t.parsed != nil {
		output, err = t.parsed.Execute(r.public())
		err = expr.GoTemplateError(err)
	}
	if err == nil {
		r.outputs[expr.GoTemplateField(i)] = output
	} else if r.outputErr == nil {
		r.outputErr = fmt.Errorf("template %q: %s: %w", r.runner.template.name, r.runner.goTemplateName(i), err)
	}
}

// fillOutputs returns root with the outputs of the Go templates whose text is empty or
// depends on the event.
func (r *resolution) fillOutputs(root cue.Value) cue.Value {
	for i, known := range r.runner.goTemplates {
		if known.text != "" {
			continue
		}
		text, ok := r.runner.goTemplateText(root, i)
		if !ok {
			continue
		}
		t, err := parseGoTemplate(text)
		if err == nil {
			r.executeGoTemplate(i, t)
		} else if r.outputErr == nil {
			r.outputErr = fmt.Errorf("template %q: %s: %w", r.runner.template.name, r.runner.goTemplateName(i), err)
		}
		if output, ok := r.outputs[expr.GoTemplateField(i)]; ok {
			root = root.FillPath(cue.MakePath(cue.Str(expr.GoTemplateField(i))), output)
		}
	}
	return root
}
