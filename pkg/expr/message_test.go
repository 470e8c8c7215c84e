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

package expr

import "testing"

// A text without a content type is JSON where it can be nothing else, so that a quote in a
// value does not end it: argoproj/argo-cd#8665.
func TestLooksLikeJSON(t *testing.T) {
	for text, want := range map[string]bool{
		`{"a": "{{.data.a}}"}`:                          true,
		`{{if .data.a}}{"a": 1}{{end}}`:                 true,
		`[{"a": {{.data.a}}}]`:                          true,
		`[{{range .data.l}}{"a": {{.x}}},{{end}}{}]`:    true,
		`["{{.data.a}}"]`:                               true,
		`[1, {{.data.a}}, "{{.data.b}}"]`:               true,
		` [{{.data.a}},{{.data.b}}]`:                    true,
		`[[{{.data.time}}, "{{.data.line}}"]]`:          true,
		`[prod] {{.data.a}} was changed`:                false,
		`[{{.data.namespace}}] {{.data.a}} was changed`: false,
		`[INFO]`:         false,
		`a: {{.data.a}}`: false,
		``:               false,
	} {
		if got := looksLikeJSON(text); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}
