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

package action_test

import (
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/action"
)

const messageTemplate = `import (
	"strings"
	"text/template"
	"vela/util"
)
log: util.#Log & {$params: data: [
	if context.data.metadata.name == parameter.unless {"none"},
	if strings.Contains(parameter.message, "{{") {template.Execute(parameter.message, context)},
	parameter.message,
][0]}
#Title: template.Execute(parameter.nested.title, context)
if parameter.nested.title != _|_ {title: util.#Log & {$params: data: #Title}}
parameter: {
	message: *"{{.data.metadata.name}} by default" | string
	unless: *"" | string
	nested: title?: string
}
`

// messages returns the messages that the actions with properties log for configMap("c").
func messages(t *testing.T, template string, properties map[string]any) ([]string, error) {
	t.Helper()
	r := &recorder{}
	a := compile(t, template, properties, r)
	var err error
	for range 2 { // the second run uses the same compiled templates
		r.calls = nil
		err = run(t, a)
	}
	var logged []string
	for _, c := range r.calls {
		text, _ := c.Params["data"].(string)
		logged = append(logged, text)
	}
	return logged, err
}

func TestGoTemplates(t *testing.T) {
	for want, properties := range map[string]map[string]any{
		"c by default": nil,
		"plain":        {"message": "plain"},
		"[]":           {"message": "[{{range .none}}{{end}}]"},
		"ns/c 5":       {"message": "{{with .data.metadata}}{{.namespace}}/{{.name}}{{end}} {{printf \"%d\" 5}}"},
		"c c|c":        {"message": `{{define "n"}}{{.data.metadata.name}}{{end}}{{block "m" .}}{{template "n" .}} {{template "n" .}}{{end}}`, "nested": map[string]any{"title": "{{.data.metadata.name}}"}},
		"none":         {"message": "{{range 100000000000}}{{end}}", "unless": "c"},
	} {
		got, err := messages(t, messageTemplate, properties)
		if text := strings.Join(got, "|"); err != nil || text != want {
			t.Errorf("%v: got %q, %v, want %q", properties, text, err, want)
		}
	}
}

// TestGoTemplates_Limit stops a message with a terminal error that names the property
// and the limit.
func TestGoTemplates_Limit(t *testing.T) {
	for message, want := range map[string]string{
		"{{range 100000000000}}x{{end}}":                                `template "test": message: Go template stopped: `,
		`{{$x := "x"}}{{range 99}}{{$x = printf "%s%s" $x $x}}{{end}}`:  `template "test": message: Go template stopped: `,
		`{{define "x"}}{{template "x"}}{{end}}{{template "x"}}`:         "Go template stopped: ",
		"{{range 50000}}{{$.data.metadata}}{{end}}":                     "Go template stopped: ",
		"{{.data.data.password.x}} {{index .data.data.password \"x\"}}": "{{.data.data.password.x}} fails",
	} {
		got, err := messages(t, messageTemplate, map[string]any{"message": message})
		if err == nil || !action.IsTerminal(err) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") || len(got) > 0 {
			t.Errorf("%s: got %q, %v, want a terminal error with %q", message, got, err, want)
		}
	}
}

// TestGoTemplates_Dynamic executes a Go template whose text depends on the event.
func TestGoTemplates_Dynamic(t *testing.T) {
	const template = `import ("text/template", "vela/util")
log: util.#Log & {$params: data: template.Execute(parameter.message, context)}
parameter: message: *"{{range 3}}\(context.data.metadata.name){{end}}" | string
`
	if got, err := messages(t, template, nil); err != nil || strings.Join(got, "|") != "ccc" {
		t.Errorf("got %q, %v", got, err)
	}
	_, err := messages(t, template, map[string]any{"message": "{{range 100000000000}}{{end}}"})
	if err == nil || !strings.Contains(err.Error(), "message: Go template stopped: ") {
		t.Errorf("got %v, want the limit", err)
	}
	_, err = messages(t, strings.Replace(template, "range 3", "range 3000000", 1), nil)
	if err == nil || !strings.Contains(err.Error(), "message: Go template stopped: ") {
		t.Errorf("default: got %v, want the limit", err)
	}
}

// TestGoTemplates_Unknown refuses a function that does not exist before any event.
func TestGoTemplates_Unknown(t *testing.T) {
	tmpl, diags := action.Parse("test", messageTemplate)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	_, diags = tmpl.Compile(action.Options{Properties: map[string]any{"message": "a\n{{upper .x}}"}})
	if len(diags) != 1 || diags[0].String() != `message:2:1: invalid Go template: function "upper" not defined` {
		t.Errorf("diags %v", diags)
	}
}
