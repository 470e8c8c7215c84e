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
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// Templates that are evaluated in stages, as a whole, and with the results of others.
const (
	staged = `import "vela/kube"
first: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: context.data.metadata.name}}
let Name = "named \(first.$returns.metadata.uid)"
result: {name: Name, uid: first.$returns.metadata.uid}
`
	unstaged = `import "vela/kube"
for n in ["first"] {
	(n): kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: context.data.metadata.name}}
}
let Name = "named \(context.data.metadata.name)"
result: name: Name
`
	consumer = `import "vela/kube"
second: kube.#Patch & {$params: {resource: {apiVersion: "v1", kind: "X", metadata: name: "x"}, patch: data: {
	got: context.results.one.name
	if context.results.two != _|_ {two: context.results.two}
}}}
`
)

func parseTemplate(t *testing.T, name, source string) *action.Template {
	t.Helper()
	tmpl, diags := action.Parse(name, source)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	return tmpl
}

// sequence runs several actions for one event, as the engine does.
type sequence struct {
	runs    []func(ctx context.Context, ev event.Event) (any, error)
	results map[string]any
	// next is the index of the action that a run starts with.
	next int
}

var stepNames = []string{"one", "two", "three"}

// start starts actions with the names one, two and three.
func start(t *testing.T, executor provider.Executor, sources ...string) *sequence {
	t.Helper()
	s := &sequence{results: map[string]any{}}
	for i, source := range sources {
		a, diags := parseTemplate(t, stepNames[i], source).Compile(action.Options{Executor: executor, EvaluateResult: true})
		if len(diags) > 0 {
			t.Fatal(diags)
		}
		s.runs = append(s.runs, a.Start(s.results, nil))
	}
	return s
}

// run runs the remaining actions for configMap("c"), until one fails.
func (s *sequence) run(t *testing.T) error {
	t.Helper()
	for ; s.next < len(s.runs); s.next++ {
		result, err := s.runs[s.next](t.Context(), configMap("c"))
		if err != nil {
			return err
		}
		if result != nil {
			s.results[stepNames[s.next]] = result
		}
	}
	return nil
}

func returnUID(provider.Call) (provider.Result, error) {
	return provider.Result{"$returns": map[string]any{"metadata": map[string]any{"uid": "u"}}}, nil
}

// TestSequence_Results passes the result of one step to the next.
func TestSequence_Results(t *testing.T) {
	for source, want := range map[string]string{staged: "named u", unstaged: "named c"} {
		s := &recorder{answer: returnUID}
		if err := start(t, s, source, consumer).run(t); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"first", "second"}, s.paths()); diff != "" {
			t.Error(diff)
		}
		if got := s.calls[1].Params["patch"].(map[string]any)["data"]; !cmp.Equal(got, map[string]any{"got": want}) {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}

// TestSequence_AllResults passes the results of all earlier steps.
func TestSequence_AllResults(t *testing.T) {
	s := &recorder{answer: returnUID}
	const two = `result: [context.results.one.uid, 7]`
	if err := start(t, s, staged, two, consumer).run(t); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"got": "named u", "two": []any{"u", int64(7)}}
	if diff := cmp.Diff(want, s.calls[1].Params["patch"].(map[string]any)["data"]); diff != "" {
		t.Error(diff)
	}
}

// TestSequence_UnusedResult does not evaluate the result of a single action.
func TestSequence_UnusedResult(t *testing.T) {
	for _, source := range []string{staged, unstaged} {
		broken := strings.Replace(source, "result: ", "result: nothing: context.data.nothing\nresult: ", 1)
		s := &recorder{answer: returnUID}
		if err := run(t, compile(t, broken, nil, s)); err != nil {
			t.Error(err)
		}
		err := start(t, s, broken).run(t)
		if err == nil || !action.IsTerminal(err) || !strings.Contains(err.Error(), "nothing") {
			t.Errorf("got %v, want a terminal error about the result", err)
		}
		if parseTemplate(t, "x", broken); !parseTemplate(t, "x", broken).HasResult() {
			t.Error("HasResult is false")
		}
	}
	if parseTemplate(t, "x", consumer).HasResult() {
		t.Error("HasResult is true")
	}
}

// TestSequence_Retry does not repeat the successful writes of the action that failed.
func TestSequence_Retry(t *testing.T) {
	refused := true
	s := &recorder{answer: func(c provider.Call) (provider.Result, error) {
		if c.Path == "third" && refused {
			return nil, errors.New("refused")
		}
		return returnUID(c)
	}}
	third := strings.ReplaceAll(strings.SplitN(consumer, "\n", 2)[1], "second:", "third:")
	event := start(t, s, staged, consumer+third)
	if err := event.run(t); err == nil || event.next != 1 || !strings.HasPrefix(err.Error(), "third (kube.patch): ") {
		t.Errorf("got %v of action %d", err, event.next)
	}
	refused = false
	if err := event.run(t); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"first", "second", "third", "third"}, s.paths()); diff != "" {
		t.Error(diff)
	}
}

// TestSequence_NoResult guards against the result of an action that was skipped.
func TestSequence_NoResult(t *testing.T) {
	s := &recorder{answer: returnUID}
	guarded := strings.Replace(consumer, "got: context.results.one.name", "if context.results.one != _|_ {got: 1}", 1)
	event := start(t, s, staged, guarded)
	event.next = 1
	if err := event.run(t); err != nil {
		t.Fatal(err)
	}
	if got := s.calls[0].Params["patch"].(map[string]any)["data"]; !cmp.Equal(got, map[string]any{}) {
		t.Errorf("got %v", got)
	}
}

// TestTemplate_UnknownResults reports the positions of references to unknown results
// in the template and in Go templates.
func TestTemplate_UnknownResults(t *testing.T) {
	tmpl := parseTemplate(t, "refers", `import "text/template"

a: context.results.one.name
b: context.results["two"]
c: context.results.there
let R = context.results
d: R.three
message: [if parameter.message != "" {template.Execute(parameter.message, context)}, ""][0]
parameter: message: *"" | string
`)
	message := "{{.results.there.x}}\n{{if .results.four}}{{index .results \"five\"}}{{end}} {{with .data}}{{.results.nobody}} {{$.results.six.y}}{{end}}"
	var got []string
	for _, p := range tmpl.UnknownResults(map[string]any{"message": message}, func(name string) string {
		if name == "there" {
			return ""
		}
		return "no such action"
	}) {
		got = append(got, p.String())
	}
	slices.Sort(got)
	want := []string{
		"3:4: context.results.one: no such action",
		"4:4: context.results.two: no such action",
		"message:2:29: .results.five: no such action",
		"message:2:6: .results.four: no such action",
		"message:2:90: .results.six: no such action",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	_, diags := tmpl.Compile(action.Options{Properties: map[string]any{"message": "ok\n{{.data"}})
	if len(diags) != 1 || diags[0].String() != "message:2:1: invalid Go template: unclosed action" {
		t.Errorf("diags %v", diags)
	}
	if _, diags := action.Parse("x", "a: context.result.x"); len(diags) != 1 || !strings.Contains(diags.Error(), `did you mean "results"?`) {
		t.Errorf("diags %v", diags)
	}
}

// FuzzUnknownResults returns valid positions for arbitrary Go templates.
func FuzzUnknownResults(f *testing.F) {
	for _, seed := range []string{"{{.results.a}}", "{{index .results \"a\"}}", "{{with $.results}}{{.a}}{{end}}", "{{range .}}{{else}}{{end}}{{(.a).b}}", "{{break}}", "{{"} {
		f.Add(seed)
	}
	tmpl, diags := action.Parse("says", "import \"text/template\"\nm: template.Execute(parameter.message, context)\nparameter: message: string")
	if len(diags) > 0 {
		f.Fatal(diags)
	}
	f.Fuzz(func(t *testing.T, message string) {
		properties := map[string]any{"message": message}
		lines := strings.Split(message, "\n")
		for _, p := range tmpl.UnknownResults(properties, func(string) string { return "unknown" }) {
			if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len(lines[p.Line-1]) {
				t.Errorf("%q: invalid position: %s", message, p)
			}
		}
	})
}
