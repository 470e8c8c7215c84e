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

package expr_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/expr"
)

// TestMessage_Fields selects the fields that a template may depend on from a context.
func TestMessage_Fields(t *testing.T) {
	type object = map[string]any
	context := object{"data": object{"metadata": object{"name": "n", "labels": object{"a": "b"}}, "spec": object{"x": "y"}}, "old": object{"spec": "z"}}
	name, spec := object{"data": object{"metadata": object{"name": "n"}}}, object{"data": object{"spec": object{"x": "y"}}}
	for _, tc := range []struct {
		source string
		want   object
	}{
		{`plain`, object{}},
		{``, object{}},
		{`{{title}} {{/* .data */}}{{"a"}} {{printf "%d" 1}}`, object{}},
		{`{{.data.metadata.name | upper}}`, name},
		{`{{$.data.metadata.name}}`, name},
		{`{{with .data.metadata.name}}{{.}}{{.x}}{{end}}`, name},
		{`{{with .data.metadata.name}}{{else}}{{.data.spec}}{{end}}`, object{"data": object{"metadata": object{"name": "n"}, "spec": object{"x": "y"}}}},
		{`{{with .data.metadata.name}}{{$.data.spec.x}}{{end}}`, object{"data": object{"metadata": object{"name": "n"}, "spec": object{"x": "y"}}}},
		{`{{range $k, $v := .data.spec}}{{$k}}{{$v.a}}{{end}}`, spec},
		{`{{$s := .data.spec}}{{$s.x}}{{$s = .old}}{{$s}}`, object{"data": spec["data"], "old": context["old"]}},
		{`{{(index .data.spec "x").y}}`, spec},
		{`{{if and .data.spec.x (eq .data.metadata.name "n")}}a{{end}}`, object{"data": object{"metadata": object{"name": "n"}, "spec": object{"x": "y"}}}},
		{`{{index .data "spec"}}`, object{"data": context["data"]}},
		{`{{toJson .}}`, context},
		{`{{toJson $}}`, context},
		{`{{range .}}{{end}}`, context},
		{`{{if .data.spec}}{{index . "old"}}{{end}}`, context},
		{`{{$c := .}}{{$c.data.spec}}`, context},
		{`{{define "a"}}{{.}}{{end}}`, context},
		{`{{template "a" .}}`, context},
		{`{{.data.`, context},
	} {
		if diff := cmp.Diff(tc.want, expr.Message{Source: tc.source}.Fields().Select(context)); diff != "" {
			t.Errorf("%s: %s", tc.source, diff)
		}
	}
	both := expr.Message{Source: "{{.data.metadata.name}}", Default: "{{.data.spec.x}}"}.Fields()
	if both.IsWithin("data") != true || both.Under("data").IsWithin("metadata") || !both.Under("data").IsWithin("metadata", "spec") || expr.All().IsWithin("data") {
		t.Error("not the fields of both")
	}
}
