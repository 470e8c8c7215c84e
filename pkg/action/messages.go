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
	"sync"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/parser"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/expr/gotemplate"
)

// message is a property that is a message template. parsed and fallback are those of its
// Source and its Default; fallback may be nil.
type message struct {
	expr.Message
	parsed, fallback *gotemplate.Template
}

func parseMessage(m expr.Message) (message, error) {
	out := message{Message: m}
	var err error
	if out.parsed, err = gotemplate.Parse(m.Source, m.Place); err == nil && m.Default != "" {
		out.fallback, err = gotemplate.Parse(m.Default, m.Place)
	}
	if err != nil {
		return out, fmt.Errorf("%s: %w", m.Name(), err)
	}
	return out, nil
}

// render returns the output for context. A blank one is replaced by that of the default.
func (m message) render(context map[string]any) (gotemplate.Output, error) {
	out, err := m.parsed.Execute(context)
	if err == nil && m.fallback != nil && strings.TrimSpace(out.Text) == "" {
		var replacement gotemplate.Output
		replacement, err = m.fallback.Execute(context)
		out.Text = replacement.Text
	}
	return out, err
}

// prepareMessages parses the message templates in the parameter, given as JSON, and replaces them in its
// CUE by references to their outputs. A text without actions is replaced by its output.
func (r *Action) prepareMessages(parameter []byte) error {
	values, err := decodeParameter(parameter)
	if err != nil {
		return err
	}
	texts := map[string]ast.Expr{}
	for _, m := range r.template.messages.Of(values) {
		if m.Shared {
			continue
		}
		parsed, err := parseMessage(m)
		if err != nil {
			return err
		}
		if strings.Contains(m.Source, "{{") {
			texts[m.Key()] = ast.NewIdent(expr.MessageField(len(r.messages)))
			r.messages = append(r.messages, parsed)
			continue
		}
		out, err := parsed.parsed.Execute(nil)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Name(), err)
		}
		texts[m.Key()] = ast.NewString(out.Text)
	}
	if len(texts) == 0 {
		return nil
	}
	x, err := parser.ParseExpr("parameter", r.parameter)
	if err != nil {
		return err
	}
	expr.ReplaceMessages(x, texts)
	text, err := format.Node(x)
	r.parameter = string(text)
	return err
}

// CheckProperties returns the fields in message templates that no event of a form has, and the
// properties that contain `{{` although they are data. The paths are relative to the
// properties.
func (t *Template) CheckProperties(properties map[string]any, form event.Form) expr.Findings {
	list := t.messages.CheckFields(properties, t.contextFields(), form)
	for _, m := range t.messages.Data(properties) {
		view := false
		for _, name := range t.viewProperties {
			view = view || m.Path[0] == name
		}
		if !view {
			list = append(list, expr.Finding{Diagnostic: diag.Diagnostic{Path: m.Name(), Message: fmt.Sprintf("{{…}} is not rendered, because the property is data; to compute it from the event, use the action's field cue, such as `cue: %s: context.data.metadata.name`", m.Path[0])}})
		}
	}
	return list[:min(len(list), maxFindings)]
}

// maxFindings limits the findings about one action.
const maxFindings = 5

// CheckComputed checks properties that c completes against the schema of the parameter.
// The paths in problems are relative to the properties; the positions in inComputed are
// those in the text of c.
func (t *Template) CheckComputed(properties map[string]any, c *expr.Computed) (problems, inComputed diag.List) {
	return t.parameter.CheckComputed(properties, c)
}

// renderMessages executes the message templates of a parameter that is known but for
// them. One that fails has no output, which fails the action where the template needs it.
func (r *resolution) renderMessages() {
	r.outputs = map[string]any{}
	for i, m := range r.runner.messages {
		if text, err := r.render(m); err == nil {
			r.outputs[expr.MessageField(i)] = text
		} else if r.outputErr == nil {
			r.outputErr = err
		}
	}
}

func (r *resolution) render(m message) (string, error) {
	out, err := m.render(r.public())
	if err != nil {
		return "", fmt.Errorf("template %q: %s: %w", r.runner.template.name, m.Name(), expr.MessageError(err))
	}
	r.warn(m.Name(), out)
	return out.Text, nil
}

// warn adds a warning for each absent value of a message template.
func (r *resolution) warn(name string, out gotemplate.Output) {
	for _, part := range out.Absent {
		if name != "" {
			part = name + ":" + part
		}
		r.warnings = append(r.warnings, part+" is absent")
	}
}

// messageCache holds parsed message templates. It is safe for concurrent use.
type messageCache struct {
	mu     sync.Mutex
	parsed map[string]message
}

// maxCachedMessages limits the cache, because a template can depend on the event.
const maxCachedMessages = 64

func (c *messageCache) get(m expr.Message) (message, error) {
	key := strings.Join([]string{m.Key(), string(m.Place), m.Source}, "\x00")
	c.mu.Lock()
	defer c.mu.Unlock()
	if parsed, ok := c.parsed[key]; ok {
		return parsed, nil
	}
	parsed, err := parseMessage(m)
	if err == nil && len(c.parsed) < maxCachedMessages {
		if c.parsed == nil {
			c.parsed = map[string]message{}
		}
		c.parsed[key] = parsed
	}
	return parsed, err
}
