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
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/number"
)

// evaluateTemplate returns the result of a template for an event with data, as JSON.
func evaluateTemplate(t *testing.T, source, data string) (string, error) {
	t.Helper()
	object, err := number.UnmarshalObject([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	tmpl, diags := action.Parse("test", source)
	if len(diags) > 0 {
		t.Fatalf("%s: %v", source, diags)
	}
	a, diags := tmpl.Compile(action.Options{Executor: &recorder{}, EvaluateResult: true, Properties: map[string]any{"wanted": "x", "list": []any{"a", "b"}}})
	if len(diags) > 0 {
		t.Fatalf("%s: %v", source, diags)
	}
	result, err := a.Start(nil, nil)(t.Context(), event.Event{Data: object})
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), nil
}

// The rules for absent values hold in templates as in filters. Each template is a value
// of the field v of the result.
func TestRules(t *testing.T) {
	const parameter = "\nparameter: {wanted: string, list: [...string], more?: string}\n"
	for _, tc := range []struct{ value, data, want string }{
		{`[if context.data.a == "x" {1}, 0][0]`, `{}`, "0"},
		{`[if context.data.a == "x" {1}, 0][0]`, `{"a": null}`, "0"},
		{`[if context.data.a == "x" {1}, 0][0]`, `{"a": 5}`, "0"},
		{`[if context.data.a == "x" {1}, 0][0]`, `{"a": "x"}`, "1"},
		{`[if context.data.a == parameter.wanted {1}, 0][0]`, `{"a": "x"}`, "1"},
		{`[if context.data.a != "x" {1}, 0][0]`, `{}`, "0"},
		{`[if context.data.a != "x" {1}, 0][0]`, `{"a": null}`, "0"},
		{`[if context.data.a != "x" {1}, 0][0]`, `{"a": 5}`, "1"},
		{`[if context.data.a != _|_ {1}, 0][0]`, `{"a": null}`, "0"},
		{`[if context.data.a > 1024 {1}, 0][0]`, `{"a": "http"}`, "0"},
		{`[if !(context.data.a == "x") {1}, 0][0]`, `{}`, "0"},
		{`[if context.data.a == 1 || context.data.b == 2 {1}, 0][0]`, `{"b": 2}`, "1"},
		{`[if !(context.data.a == 1 && context.data.b == 2) {1}, 0][0]`, `{"b": 3}`, "1"},
		{`[if context.data.flag {1}, 0][0]`, `{"flag": "yes"}`, "0"},
		{`*context.data.a | 0`, `{}`, "0"},
		{`*context.data.a | 0`, `{"a": null}`, "0"},
		{`*context.data.a | 0`, `{"a": 3}`, "3"},
		{`*context.data.a | {}`, `{"a": {"b": null}}`, `{"b":null}`},
		{`*[for c in context.data.l if c.n == 1 {c.v}][0] | "none"`, `{"l": [{"n": 2}]}`, `"none"`},
		{`[for c in context.data.l if c.ready {c.name}]`, `{"l": [{"name": "a"}, {"name": "b", "ready": true}]}`, `["b"]`},
		{`[for c in context.data.l for p in c.ports {p}]`, `{"l": [{"name": "a"}, {"ports": null}, {"ports": [80]}]}`, `[80]`},
		{`[for c in context.data.l {c}]`, `{"l": [{"name": null}]}`, `[{"name":null}]`},
		{`[if and([for c in context.data.l {c.ready}]) {1}, 0][0]`, `{"l": [{"ready": true}, {}]}`, "0"},
		{`[if or([for c in context.data.l {c.ready}]) {1}, 0][0]`, `{"l": [{"ready": true}, {}]}`, "1"},
		{`[if and([for c in context.data.l {c.ready}]) {1}, 0][0]`, `{"l": []}`, "1"},
		{`[if quantity(context.data.q) > quantity("10Gi") {1}, 0][0]`, `{"q": "100Gi"}`, "1"},
		{`[if quantity(context.data.q) > quantity("10Gi") {1}, 0][0]`, `{"q": "5Gi"}`, "0"},
		{`[if quantity(context.data.q) > quantity("10Gi") {1}, 0][0]`, `{"q": "ten"}`, "0"},
		{`[if timestamp(context.data.t) < timestamp("2026-03-25T13:37:11+08:00") {1}, 0][0]`, `{"t": "2026-03-25T05:37:10Z"}`, "1"},
		{`strings.ToUpper(context.data.a)`, `{"a": "x"}`, `"X"`},
		{`[for w in parameter.list if w != "a" {w}]`, `{}`, `["b"]`},
		{`[if parameter.more != _|_ {1}, 0][0]`, `{}`, "0"},
		{`[for a in [context.data.a] if a == "x" {1}, 0][0]`, `{"a": "x"}`, "1"},
		{`[for k, v in context.data if k != "b" && v != 1 {k}]`, `{"a": null, "b": 2, "c": 3, "d": 1}`, `["c"]`},
		// argoproj/argo-workflows#3990, influxdata/telegraf#9520
		{`context.data.n`, `{"n": 9007199254740993}`, "9007199254740993"},
		{`[context.data.n, context.data.n + 1]`, `{"n": 18446744073709551615}`, "[18446744073709551615,18446744073709551616]"},
		{`context.data`, `{"n": [12345678901234567890, 0.12345678901234567]}`, `{"n":[12345678901234567890,0.12345678901234567]}`},
	} {
		got, err := evaluateTemplate(t, "result: v: "+tc.value+parameter, tc.data)
		if want := `{"v":` + tc.want + `}`; err != nil || got != want {
			t.Errorf("%s with %s: got %s, %v; want %s", tc.value, tc.data, got, err, want)
		}
	}
}

// What a template needs and the event lacks is an error.
func TestRules_NeededValue(t *testing.T) {
	for _, value := range []string{"context.data.a", `"\(context.data.a)"`, "[for c in context.data.a {c}]"} {
		if got, err := evaluateTemplate(t, "result: v: "+value+"\nparameter: {wanted: string, list: [...string]}\n", `{}`); err == nil || !action.IsTerminal(err) {
			t.Errorf("%s: got %s, %v; want a terminal error", value, got, err)
		}
	}
}

// A condition on the result of a call is not decided before the call.
func TestRules_Calls(t *testing.T) {
	const source = `import "vela/kube"
read: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: "r"}}
if read.$returns.data.ready == "no" {
	patch: kube.#Patch & {$params: {resource: {apiVersion: "v1", kind: "X", metadata: name: "p"}, patch: data: n: read.$returns.n}}
}
`
	r := &recorder{answer: func(provider.Call) (provider.Result, error) {
		return provider.Result{"$returns": map[string]any{"n": json.Number("18446744073709551616"), "data": map[string]any{"ready": "no"}}}, nil
	}}
	if err := run(t, compile(t, source, nil, r)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"read", "patch"}, r.paths()); diff != "" {
		t.Fatal(diff)
	}
	patch, err := json.Marshal(r.calls[1].Params["patch"])
	if want := `{"data":{"n":18446744073709551616}}`; err != nil || string(patch) != want {
		t.Errorf("patch %s, %v; want %s", patch, err, want)
	}
}

// Numbers in properties are those that were written.
func TestCompile_ExactProperties(t *testing.T) {
	const properties = `{"body":{"account":9007199254740993,"chat":-1001234567890123457,"list":[98765432109876543210,0.12345678901234567],"snowflake":1098765432109876543}}`
	object, err := number.UnmarshalObject([]byte(properties))
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{}
	if err := run(t, compile(t, `import "vela/util"
log: util.#Log & {$params: data: parameter.body}
parameter: body: {...}
`, object, r)); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(map[string]any{"body": r.calls[0].Params["data"]})
	if err != nil || string(got) != properties {
		t.Errorf("got %s, %v; want %s", got, err, properties)
	}
}
