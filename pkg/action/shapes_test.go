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
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/number"
)

// TestShapes makes the calls of each shape of a template once, and gives its result, whether
// or not a later action uses it; or refuses the shape when it is parsed.
func TestShapes(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/shapes.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		t.Run(f.Name, func(t *testing.T) {
			source := expandCalls(string(f.Data))
			template, diags := action.Parse("test", source)
			if want, refused := comment(source, "refused"); refused || len(diags) > 0 {
				if !refused || len(diags) != 1 || !strings.Contains(diags.Error(), want) {
					t.Fatalf("refused: %v, want %q", diags, want)
				}
				return
			}
			wantCalls, _ := comment(source, "calls")
			wantResult, _ := comment(source, "result")
			if wantResult != "" && !template.HasResult() {
				t.Error("HasResult is false")
			}
			for _, evaluate := range []bool{true, false} {
				r := &recorder{answer: answerShape}
				a, diags := template.Compile(action.Options{Executor: r, EvaluateResult: evaluate})
				if len(diags) > 0 {
					t.Fatal(diags)
				}
				result, err := a.Start(nil, nil)(t.Context(), configMap("c"))
				if err != nil {
					t.Fatalf("result %v: %v", evaluate, err)
				}
				if diff := cmp.Diff(strings.TrimSpace(wantCalls), strings.Join(r.paths(), " ")); diff != "" {
					t.Errorf("result %v: calls: %s", evaluate, diff)
				}
				if !evaluate {
					continue
				}
				if diff := cmp.Diff(decodeShape(t, wantResult), result); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// comment returns the text of the comment `// NAME: …`.
func comment(source, name string) (string, bool) {
	_, rest, found := strings.Cut(source, "// "+name+": ")
	text, _, _ := strings.Cut(rest, "\n")
	return text, found
}

// expandCalls replaces the short forms of calls, and adds imports.
func expandCalls(source string) string {
	const resource = `{apiVersion: "v1", kind: "X", metadata: name: `
	source = replaceCalls(source, "GET", func(name string) string { return "kube.#Get & {$params: resource: " + resource + name + "}}" })
	source = replaceCalls(source, "READ", func(name string) string { return "kube.#Read & {$params: value: " + resource + name + "}}" })
	source = strings.ReplaceAll(source, "LIST", `kube.#List & {$params: resource: {apiVersion: "v1", kind: "X"}}`)
	imports := ""
	for _, path := range []string{"vela/kube", "encoding/json", "list", "strings", "encoding/base64"} {
		name := path[strings.LastIndex(path, "/")+1:]
		if strings.Contains(source, name+".") {
			imports += "import \"" + path + "\"\n"
		} else if strings.Contains(source, " "+name[:1]+".#") {
			imports += "import " + name[:1] + " \"" + path + "\"\n"
		}
	}
	return imports + source
}

// replaceCalls replaces each `name(argument)` in text.
func replaceCalls(text, name string, replacement func(argument string) string) string {
	for {
		before, rest, found := strings.Cut(text, name+"(")
		if !found {
			return text
		}
		depth := 1
		end := strings.IndexFunc(rest, func(r rune) bool {
			depth += strings.Count("(", string(r)) - strings.Count(")", string(r))
			return depth == 0
		})
		text = before + replacement(rest[:end]) + rest[end+1:]
	}
}

func shapeObject(name string) map[string]any {
	return map[string]any{"metadata": map[string]any{"name": name, "uid": "uid-" + name}, "data": map[string]any{"k": "v-" + name}}
}

// answerShape is the API server of the shapes.
func answerShape(c provider.Call) (provider.Result, error) {
	resource, ok := c.Params["value"].(map[string]any)
	if !ok {
		resource, _ = c.Params["resource"].(map[string]any)
	}
	metadata, _ := resource["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	returns := shapeObject(name)
	switch {
	case c.Do == "list":
		returns = map[string]any{"items": []any{shapeObject("one"), shapeObject("two")}}
	case c.Do == "read" && strings.HasPrefix(name, "fail"):
		returns = map[string]any{"err": "failed"}
	case c.Do == "read":
		returns = map[string]any{"value": returns}
	}
	return provider.Result{"$returns": returns}, nil
}

// decodeShape decodes the JSON of a result with the short forms of objects.
func decodeShape(t *testing.T, text string) any {
	t.Helper()
	if text == "" {
		return nil
	}
	encode := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	text = replaceCalls(text, "OBJECT", func(name string) string { return encode(shapeObject(name)) })
	text = replaceCalls(text, "CALL", func(name string) string {
		resource := map[string]any{"apiVersion": "v1", "kind": "X", "metadata": map[string]any{"name": name}}
		return encode(map[string]any{"$params": map[string]any{"cluster": "", "resource": resource}, "$returns": shapeObject(name)})
	})
	value, err := number.Unmarshal([]byte(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return value
}
