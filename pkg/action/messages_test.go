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
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/warning"
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

func TestMessages(t *testing.T) {
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

// TestMessages_Limit stops a message with a terminal error that names the property
// and the limit.
func TestMessages_Limit(t *testing.T) {
	for message, want := range map[string]string{
		"{{range 100000000000}}x{{end}}":                               `template "test": message: Go template stopped: `,
		`{{$x := "x"}}{{range 99}}{{$x = printf "%s%s" $x $x}}{{end}}`: `template "test": message: Go template stopped: `,
		`{{define "x"}}{{template "x"}}{{end}}{{template "x"}}`:        "Go template stopped: ",
		"{{range 50000}}{{$.data.metadata}}{{end}}":                    "Go template stopped: ",
		"{{index (len .data.data.password) 1}}":                        "1:2: {{index (len .data.data.password) 1}} fails: the value is neither an object nor a list",
	} {
		got, err := messages(t, messageTemplate, map[string]any{"message": message})
		if err == nil || !action.IsTerminal(err) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") || len(got) > 0 {
			t.Errorf("%s: got %q, %v, want a terminal error with %q", message, got, err, want)
		}
	}
}

// TestMessages_Dynamic executes a Go template whose text depends on the event.
func TestMessages_Dynamic(t *testing.T) {
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

// TestMessages_Unknown refuses a function that does not exist before any event.
func TestMessages_Unknown(t *testing.T) {
	tmpl, diags := action.Parse("test", messageTemplate)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	_, diags = tmpl.Compile(action.Options{Properties: map[string]any{"message": "a\n{{upper .x}}"}})
	if len(diags) != 1 || diags[0].String() != `message:2:1: invalid Go template: function "upper" not defined; the action's field cue has strings.ToUpper(text)` {
		t.Errorf("diags %v", diags)
	}
}

const computedTemplate = `import "vela/util"
log: util.#Log & {$params: data: {name: parameter.name, replicas: parameter.replicas, labels: parameter.labels, message: parameter.message, to: parameter.to}}
parameter: {
	name: string
	replicas: *1 | int & >=0
	labels: [string]: string
	message: *"" | string @text(slack,default="{{summary}}")
	to: [...{name: string @text(name)}]
}
`

// computed runs the action of computedTemplate for configMap("c"), and returns the data
// that it logs.
func computed(t *testing.T, properties map[string]any, cue string) (map[string]any, error) {
	t.Helper()
	return computedFor(t, configMap("c"), properties, cue)
}

func computedFor(t *testing.T, ev event.Event, properties map[string]any, cue string) (map[string]any, error) {
	t.Helper()
	tmpl, diags := action.Parse("test", computedTemplate)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	c, diags := action.ParseComputed(cue)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	problems, inComputed := tmpl.CheckComputed(properties, c)
	if list := slices.Concat(problems, inComputed); len(list) > 0 {
		return nil, list
	}
	r := &recorder{}
	a, diags := tmpl.Compile(action.Options{Trigger: event.Trigger{Name: "t", Namespace: "ns"}, Properties: properties, Computed: c, Executor: r})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	for range 2 { // the second run uses the same compiled template
		r.calls = nil
		if _, err := a.Start(nil, nil)(t.Context(), ev); err != nil {
			return nil, err
		}
	}
	data, _ := r.calls[0].Params["data"].(map[string]any)
	return data, nil
}

// TestComputed completes properties with values of the event.
func TestComputed(t *testing.T) {
	for name, c := range map[string]struct {
		properties map[string]any
		cue        string
		want       map[string]any
	}{
		"text, number, object and list": {
			map[string]any{"message": "{{.data.metadata.name}} <!here>"},
			"name: context.data.metadata.name\nreplicas: len(context.data.data) + 2\nlabels: {for k, v in context.data.metadata {(k): v}}\nto: [for k, v in context.data.metadata {name: v}]",
			map[string]any{
				"name": "c", "replicas": int64(3), "labels": map[string]any{"name": "c", "namespace": "ns"},
				"message": "c <!here>", "to": []any{map[string]any{"name": "c"}, map[string]any{"name": "ns"}},
			},
		},
		"text counts as a value": {
			nil, `name: "x", message: "<!here> {{.x}} " + context.data.metadata.name`,
			map[string]any{"name": "x", "replicas": int64(1), "labels": map[string]any{}, "message": "&lt;!here&gt; {{.x}} c", "to": []any{}},
		},
		"default, helper and standard library": {
			map[string]any{"message": "m"}, "let N = *context.data.metadata.labels.x | \"none\"\n_up: strings.ToUpper(N)\nname: _up\nif context.event.type == \"update\" {replicas: 7}",
			map[string]any{"name": "NONE", "replicas": int64(7), "labels": map[string]any{}, "message": "m", "to": []any{}},
		},
		"large numbers keep their digits": {
			map[string]any{"name": "x", "message": "m"}, "replicas: 9007199254740993 + 0*len(context.data.data)",
			map[string]any{"name": "x", "replicas": int64(9007199254740993), "labels": map[string]any{}, "message": "m", "to": []any{}},
		},
		"partly an object": {
			map[string]any{"name": "x", "message": "m", "labels": map[string]any{"a": "b"}}, `labels: c: context.data.metadata.name`,
			map[string]any{"name": "x", "replicas": int64(1), "labels": map[string]any{"a": "b", "c": "c"}, "message": "m", "to": []any{}},
		},
	} {
		got, err := computed(t, c.properties, c.cue)
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

// TestComputed_Rules: the rules for absent values, and the functions of filters, hold in
// computed properties: datavis-tech/json-templates#45 (null and a default),
// tcplugins/tcWebHooks#93 (a number that may be absent).
func TestComputed_Rules(t *testing.T) {
	ev := event.Event{Data: map[string]any{"spec": map[string]any{
		"none": nil, "port": "http", "size": "1Ki", "version": "v1.10.0", "list": []any{map[string]any{"ready": true}, map[string]any{}},
	}}}
	labels := func(value string) string { return "name: \"x\"\nlabels: v: \"\\(" + value + ")\"" }
	for cue, want := range map[string]string{
		labels(`*context.data.spec.none | "default"`):                                          "default",
		labels(`*context.data.missing.none | "default"`):                                       "default",
		labels(`[if context.data.spec.none == "x" {1}, 0][0]`):                                 "0",
		labels(`[if context.data.spec.port != 8080 {1}, 0][0]`):                                "1",
		labels(`[if context.data.spec.port > 8080 {1}, 0][0]`):                                 "0",
		labels(`[if or([for c in context.data.spec.list {c.ready}]) {1}, 0][0]`):               "1",
		labels(`[if and([for c in context.data.spec.list {c.ready}]) {1}, 0][0]`):              "0",
		labels(`len([for c in context.data.spec.list if c.ready {c}])`):                        "1",
		labels(`quantity(context.data.spec.size)`):                                             "1024",
		labels(`[if quantity(context.data.spec.size) > quantity("1k") {"large"}, "small"][0]`): "large",
		labels(`[if version(context.data.spec.version) > version("1.9.0") {"new"}, "old"][0]`): "new",
		"name: \"x\"\nif context.data.spec.none.deep == 1 {replicas: 5}\nlabels: v: \"x\"":     "x",
		"let N = *context.data.spec.none | \"n\"\nname: \"x\"\nlabels: v: N":                   "n",
	} {
		data, err := computedFor(t, ev, nil, cue)
		if err != nil {
			t.Errorf("%s: %v", cue, err)
			continue
		}
		if got, _ := data["labels"].(map[string]any); got["v"] != want {
			t.Errorf("%s: got %v, want %s", cue, got["v"], want)
		}
	}
}

// TestComputed_Invalid refuses what cannot fit before any event, with its position.
func TestComputed_Invalid(t *testing.T) {
	for name, c := range map[string]struct {
		properties map[string]any
		cue, want  string
	}{
		"kind":     {nil, "name: \"x\"\nreplicas: \"three\"", "2:1: replicas: must be"},
		"unknown":  {nil, "nam: context.data.metadata.name\nname: \"x\"", `1:1: nam: unknown field; did you mean "name"?`},
		"required": {nil, "replicas: context.data.n", "name: is required"},
		"list":     {nil, "name: [context.data.x]", "name: must be string"},
		"twice":    {map[string]any{"name": "a"}, `name: "b"`, "name: is also in properties"},
		"bound":    {nil, "name: \"x\", replicas: -1", "replicas: must be"},
	} {
		if _, err := computed(t, c.properties, c.cue); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	for cue, want := range map[string]string{
		"name: context.dta.x": "dta",
		"name: {":             "expected",
		"import \"vela/kube\"\nx: kube.#Get & {}": `cannot import "vela/kube"`,
		"name: contxt.data.x":                     `1:7: unknown name "contxt"; did you mean "context"?`,
		"name: data.metadata.name":                `did you mean context.data?`,
		"name: context.data.name.toLowerCase()":   "1:25: values have no functions; in CUE: strings.ToLower(text)",
		"name: context.data.a ? \"x\" : \"y\"":    "CUE has no ?:",
	} {
		if _, diags := action.ParseComputed(cue); len(diags) == 0 || !strings.Contains(diags.Error(), want) {
			t.Errorf("%s: got %v, want %s", cue, diags, want)
		}
	}
}

// TestComputed_Fails ends with a terminal error that names the place, and holds no value
// of the event.
func TestComputed_Fails(t *testing.T) {
	for cue, want := range map[string]string{
		"name: context.data.metadata.labels.x":                                "cue:1:",
		"name: \"x\"\nreplicas: context.data.data.password":                   "replicas",
		"name: context.data.data.password & \"x\"":                            "cue:1:",
		"name: \"x\"\nlabels: {for k, v in context.data.data {(k): [v]}}":     "labels",
		"name: \"x\"\nif context.event.type == \"update\" {nam: \"unknown\"}": "nam",
	} {
		_, err := computed(t, nil, cue)
		if err == nil || !action.IsTerminal(err) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, want a terminal error with %q", cue, err, want)
		}
	}
}

// TestMessages_Warnings names absent values of an action that succeeds.
func TestMessages_Warnings(t *testing.T) {
	a := compile(t, computedTemplate, map[string]any{"name": "x", "message": "{{.data.metadata.name}} {{.data.status.phase}}"}, &recorder{})
	ctx, warnings := warning.Collect(t.Context())
	if _, err := a.Start(nil, nil)(ctx, configMap("c")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"message:1:25: {{.data.status.phase}} is absent"}, warnings()); diff != "" {
		t.Error(diff)
	}
}

// TestMessages_Blank replaces a blank message by its default.
func TestMessages_Blank(t *testing.T) {
	r := &recorder{}
	if err := run(t, compile(t, computedTemplate, map[string]any{"name": "x", "message": " {{.data.status.phase}}"}, r)); err != nil {
		t.Fatal(err)
	}
	data, _ := r.calls[0].Params["data"].(map[string]any)
	if text := data["message"].(string); !strings.HasPrefix(text, "ConfigMap ns/c was changed\nTrigger ns/t, ") {
		t.Errorf("got %q", text)
	}
}

// TestTemplate_CheckProperties warns about templates of other tools in data.
func TestTemplate_CheckProperties(t *testing.T) {
	tmpl, diags := action.Parse("test", strings.Replace(computedTemplate, "message:", "body?: {...}\n\tmessage:", 2))
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	list := tmpl.CheckProperties(map[string]any{"message": "{{.data}}", "name": "{{.data.x}}", "body": map[string]any{"a": []any{"{{ .Values.x }}"}}}, event.Form{})
	if len(list) != 2 || list[0].Path != "body.a[0]" || list[1].Path != "name" || !strings.Contains(list[0].Message, "`cue: body: ") {
		t.Errorf("got %v", list)
	}
}

// TestTemplate_CheckProperties_Fields warns about fields that no event has: prometheus/alertmanager#1053
// (fields of another root), alphagov/govuk-helm-charts#2214.
func TestTemplate_CheckProperties_Fields(t *testing.T) {
	tmpl, diags := action.Parse("test", computedTemplate)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	for message, want := range map[string]string{
		"{{.metadata.name}}":                               "message:1:3: .metadata is never there; fields of the object are in .data: .data.metadata.name",
		"a\n {{if .context.data.x}}y{{end}}":               "message:2:7: .context is never there; the dot is context: .data.x",
		"{{.Data.kind}}":                                   `message:1:3: .Data is never there; did you mean "data"?`,
		"{{range .items}}{{.x}}{{$.results.a}}{{end}}":     "message:1:9: .items is never there",
		"{{.data.x}}{{.batch}}{{.old.x}}{{.event.type}}":   "",
		"{{range .data.items}}{{.name}}{{end}}{{summary}}": "",
	} {
		if got := tmpl.CheckProperties(map[string]any{"message": message, "name": "x"}, event.Form{}).Diagnostics().Error(); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", message, got, want)
		}
	}
}

// TestMessages_Names says how a name that is no identifier is selected: containerd/containerd#2494.
func TestMessages_Names(t *testing.T) {
	tmpl, diags := action.Parse("test", messageTemplate)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	const names = `is selected with index: {{index .data.metadata.labels "example.com/my-app"}}`
	for message, want := range map[string]string{
		"{{.data.metadata.labels.my-app}}":                 names,
		"{{.data.metadata.labels.app.kubernetes.io/name}}": names,
		"{{.data.spec.containers[0].image}}":               "an element is selected with index: {{(index .data.spec.containers 0).image}}",
		"{{index .data.metadata.labels 'app'}}":            "texts are in double quotes or in backquotes",
		"${{ data.metadata.name }}":                        "paths begin with a dot, without context: .data.metadata.name",
		"{{context.data.metadata.name}}":                   "paths begin with a dot",
	} {
		_, diags = tmpl.Compile(action.Options{Properties: map[string]any{"message": message}})
		if len(diags) != 1 || !strings.Contains(diags[0].Message, want) {
			t.Errorf("%s: got %v, want %s", message, diags, want)
		}
	}
}

// TestComputed_Check warns about the placeholders of other languages, which CUE sends as
// they are: argoproj/argo-workflows#940.
func TestComputed_Check(t *testing.T) {
	for cue, want := range map[string]string{
		`message: "Pod {{.data.metadata.name}}"`:          `1:10: a text in CUE is sent as it is; to put a value into it, write "\(context.data.metadata.name)"`,
		"name: \"x\"\nmessage: \"Pod ${context.data.x}\"": "2:10: a text in CUE is sent as it is",
		`message: "Pod \(context.data.metadata.name)"`:    "",
		`message: "echo ${HOME}"`:                         "",
	} {
		c, diags := action.ParseComputed(cue)
		if len(diags) > 0 {
			t.Fatal(diags)
		}
		if got := c.Check(event.Form{}).Diagnostics().Error(); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", cue, got, want)
		}
	}
}

// TestParse_TextAttribute refuses places that do not exist.
func TestParse_TextAttribute(t *testing.T) {
	_, diags := action.Parse("test", "parameter: message: string @text(slak)")
	if len(diags) != 1 || !strings.Contains(diags[0].String(), `unknown place "slak" in @text; did you mean "slack"?`) || diags[0].Line != 1 {
		t.Errorf("got %v", diags)
	}
}
