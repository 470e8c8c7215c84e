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
	"strconv"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// TestAction_GoText executes a Go template outside CUE. What is absent is empty, other
// than in CUE; the rest is the same.
func TestAction_GoText(t *testing.T) {
	const source = `
import (
	"text/template"
	"vela/builtin"
)
say: [if context.data.say {builtin.#Message & {$params: message: template.Execute(TEXT, context)}}]
parameter: {}
`
	data := map[string]any{
		"say": true, "n": int64(3), "f": 1.5, "whole": 2.0, "big": int64(1) << 60, "none": nil, "text": "s3cr3t",
		"labels": map[string]any{"b": "2", "a": "1", "a/c": "\"<&>\""}, "list": []any{int64(1), "x", map[string]any{"y": true}},
	}
	for text, want := range map[string]struct{ err, differs string }{
		"plain":                                                 {},
		"{{.data.n}} {{eq .data.n 3}}":                          {},
		`{{printf "%d %v" .data.n .data.f}}`:                    {},
		"{{.data.whole}} {{.data.big}}":                         {},
		"[{{.data.none}} {{.data.missing}}]":                    {differs: "[ ]"},
		"{{.data.labels}} {{.old}}":                             {differs: `{\"a\":\"1\",\"a/c\":`},
		"{{range .data.list}}{{printf \"%v\" .}},{{end}}":       {},
		"{{range $k, $v := .data.labels}}{{$k}}={{$v}} {{end}}": {},
		`{{index .data.labels "a/c"}}`:                          {},
		"{{index .data.list 7}}{{.data.text.x}}":                {differs: "\"\""},
		"{{index .data.n 7}}":                                   {differs: "\"\""},
		"{{index (len .data.list) 7}}":                          {err: `template "says": a Go template cannot be executed: 1:2: {{index (len .data.list) 7}} fails: the value is neither an object nor a list`},
		"{{call .data.text}}":                                   {err: "cannot be executed"},
	} {
		outcome := func(change func(*Action), say bool) (string, string) {
			executor := &fakeExecutor{}
			template, diags := Parse("says", strings.Replace(source, "TEXT", strconv.Quote(text), 1))
			if len(diags) > 0 {
				t.Fatal(diags)
			}
			a, diags := template.Compile(Options{Executor: executor})
			if len(diags) > 0 {
				t.Fatal(diags)
			}
			change(a)
			data["say"] = say
			_, err := a.Start(nil, nil)(t.Context(), event.Event{Data: data})
			if err == nil {
				return strings.Join(executor.calls, "\n"), ""
			}
			if !IsTerminal(err) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("%s: %v", text, err)
			}
			return "", err.Error()
		}
		got, gotErr := outcome(func(a *Action) {
			if len(a.inputs[0].texts) != 1 {
				t.Errorf("%s: executed by CUE", text)
			}
		}, true)
		inCUE, errInCUE := outcome(executeInCUE, true)
		same := got == inCUE && (gotErr == "") == (errInCUE == "")
		if want.differs != "" {
			same = strings.Contains(got, want.differs)
		}
		if !same || (gotErr == "") != (want.err == "") || !strings.Contains(gotErr, want.err) {
			t.Errorf("%s:\n got %s\n%s\nwant %s\n%s", text, got, gotErr, inCUE, errInCUE)
		}
		if _, err := outcome(func(*Action) {}, false); err != "" {
			t.Errorf("%s: the message is not needed, got %s", text, err)
		}
	}
}

// executeInCUE has CUE execute the Go templates of a.
func executeInCUE(a *Action) {
	a.names, a.parameter = nil, ""
	a.inputs = slices.Repeat([]inputs{{context: a.template.context}}, len(a.template.stages))
	a.rendered, a.pool = make([]*rendering, len(a.rendered)), make(chan compiled, 1)
}
