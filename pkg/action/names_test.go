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
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// TestAction_RenamedFields runs all built-in actions with and without other names for the
// fields of events. They make the same calls and have the same results.
func TestAction_RenamedFields(t *testing.T) {
	files, err := filepath.Glob("../../actions/testdata/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	compared := 0
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		source, err := os.ReadFile("../../actions/" + name + ".cue")
		if err != nil {
			t.Fatal(err)
		}
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		properties, data := map[string]any{}, map[string]any{}
		for _, part := range ar.Files {
			into := map[string]*map[string]any{"properties": &properties, "event": &data}[part.Name]
			if into != nil {
				if err := yaml.Unmarshal(part.Data, into); err != nil {
					t.Fatal(err)
				}
			}
		}
		random := rand.New(rand.NewPCG(1, uint64(len(file))))
		for i := range 1 {
			for _, field := range fields() {
				if data[field] == nil {
					data[field] = randomData(random, 3)
				}
			}
			if compareNames(t, name, string(source), properties, data, uint64(i)) {
				compared++
			}
		}
	}
	if compared < 30 {
		t.Errorf("only %d runs had other names", compared)
	}
}

// FuzzAction_RenamedFields compares random templates likewise.
func FuzzAction_RenamedFields(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, seed))
		x := func() string { return randomExpression(random, 3) }
		source := fmt.Sprintf(`
import (
	"encoding/json"
	"strings"
	"vela/kube"
)
read: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", a: %s}}
write: kube.#Patch & {$params: {resource: {a: %s}, patch: {b: %s, c: read.$returns.value}}}
result: %s
_unused: [json.Valid("1"), strings.ToLower("A")]
`, x(), x(), x(), x())
		data, _ := randomData(random, 3).(map[string]any)
		if data == nil {
			data = map[string]any{}
		}
		data["labels"] = map[string]any{"a": "b", "other": "x"}
		compareNames(t, "random", source, nil, data, seed)
	})
}

// compareNames runs a template with and without other names. It reports whether other
// names were used.
func compareNames(t *testing.T, name, source string, properties, data map[string]any, seed uint64) bool {
	t.Helper()
	template, diags := Parse(name, source)
	if len(diags) > 0 {
		return false // a random template may be invalid
	}
	run := func(change func(*Action)) (outcome []any, renamed bool) {
		executor := &returner{random: rand.New(rand.NewPCG(seed, 1)), reads: map[string]provider.Result{}}
		a, diags := template.Compile(Options{Properties: properties, Executor: executor, EvaluateResult: true})
		if len(diags) > 0 {
			return []any{diags.Error()}, false
		}
		change(a)
		result, err := a.Start(nil, nil)(t.Context(), event.Event{Data: data, Time: time.Unix(0, 0)})
		return append(executor.calls, parsed(result), fmt.Sprint(err)), a.names != nil
	}
	got, renamed := run(func(*Action) {})
	want, _ := run(func(a *Action) { a.names = nil })
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s %v\n%s\ndata %v\nwith other names:\n%v\nwith the names of the fields:\n%v", name, properties, source, data, got, want)
	}
	return renamed
}

// returner is an executor that records calls and returns random data.
type returner struct {
	random *rand.Rand
	calls  []any
	reads  map[string]provider.Result
}

func (r *returner) Execute(_ context.Context, call provider.Call) (result provider.Result, err error) {
	r.calls = append(r.calls, []any{call.Path, parsed(call.Params)})
	if provider.IsRead(call) { // it is repeated where names cannot be replaced
		key := fmt.Sprint(r.calls[len(r.calls)-1])
		if earlier, ok := r.reads[key]; ok {
			r.calls = r.calls[:len(r.calls)-1]
			return earlier, nil
		}
		defer func() { r.reads[key] = result }()
	}
	object, _ := randomData(r.random, 3).(map[string]any)
	if object == nil {
		object = map[string]any{}
	}
	object["metadata"] = map[string]any{"name": "web", "namespace": "shop", "resourceVersion": "1", "annotations": randomData(r.random, 1)}
	object["value"], object["items"], object["statusCode"] = randomData(r.random, 3), []any{map[string]any{"metadata": map[string]any{"name": "web"}}}, int64(200)
	return provider.Result{"$returns": object}, nil
}

// parsed returns v with the JSON in its strings decoded, because the order of fields in
// JSON may differ.
func parsed(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, value := range v {
			out[name] = parsed(value)
		}
		return out
	case []any:
		out := []any{}
		for _, value := range v {
			out = append(out, parsed(value))
		}
		return out
	case string:
		var decoded any
		if strings.HasPrefix(v, "{") || strings.HasPrefix(v, "[") || strings.HasPrefix(v, `"`) {
			if json.Unmarshal([]byte(v), &decoded) == nil {
				return []any{"JSON", parsed(decoded)}
			}
		}
	}
	return v
}

// fields returns names of fields, among them names that JSON and CUE have to escape.
func fields() []string {
	return []string{"a", "b", "list", "labels", "x y", "", "_h", "#D", "é", "\"q\"", "\\", "<&>", "\n", "\u2028", "a.b/c", "items", "kind", "Z"}
}

func randomData(r *rand.Rand, depth int) any {
	switch n := r.IntN(8); {
	case n < 5 && depth > 0:
		m := map[string]any{}
		for _, name := range fields() {
			if r.IntN(3) == 0 {
				m[name] = randomData(r, depth-1)
			}
		}
		return m
	case n == 5 && depth > 0:
		return []any{randomData(r, depth-1), randomData(r, depth-1)}
	case n == 6:
		return int64(r.IntN(3))
	}
	return []string{"a", "é\"", "{}", "text"}[r.IntN(4)]
}

func randomExpression(r *rand.Rand, depth int) string {
	leaves := []string{
		"context.data", "context.data.labels", `context.data["x y"]`, "context.data.a", "len(context.data)", `"text"`,
		`{for k, v in context.data if k != "b" {(k): v}}`, `[for x in context.data.list {x}]`, `[for x in context.data.labels {x}]`,
		`[for k, v in context.data {k}]`, `context.data.labels.other`, `context.data[context.data.labels.a]`,
	}
	if depth == 0 || r.IntN(4) == 0 {
		return leaves[r.IntN(len(leaves))]
	}
	x, y := randomExpression(r, depth-1), randomExpression(r, depth-1)
	return []string{
		"json.Marshal(" + x + ")", "{a: " + x + ", b: " + y + "}", "[" + x + ", " + y + "]",
		"[if context.data.a != _|_ {" + x + "}, " + y + "][0]", "{" + x + ", c: " + y + "}", x + " & " + y,
		"strings.ToLower(json.Marshal(" + x + "))", "[for v in [" + x + "] {v}]", "len(" + x + ")", "*" + x + " | " + y,
		"{for k, v in " + x + " {(k): v}}", "[for v in " + x + " {v}]",
	}[r.IntN(12)]
}
