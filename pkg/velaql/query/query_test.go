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

package query_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/velaql/query"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		text string
		want query.Query
	}{
		{"component-pod-view", query.Query{View: "component-pod-view"}},
		{"component-pod-view{}", query.Query{View: "component-pod-view", Parameter: map[string]any{}}},
		{"v{appName=web, appNs=prod}", query.Query{View: "v", Parameter: map[string]any{"appName": "web", "appNs": "prod"}}},
		{"v{a=1,b=true ,c=2.5,}.status.podList[0]", query.Query{
			View: "v", Parameter: map[string]any{"a": int64(1), "b": true, "c": 2.5}, Export: "status.podList[0]",
		}},
		{`v{a="1", b="x=y, {z}"}`, query.Query{View: "v", Parameter: map[string]any{"a": "1", "b": "x=y, {z}"}}},
		{"v{a=nan}status", query.Query{View: "v", Parameter: map[string]any{"a": "nan"}, Export: "status"}},
		{" v.status ", query.Query{View: "v", Export: "status"}},
	} {
		got, err := query.Parse(tc.text)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
		} else if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", tc.text, diff)
		}
	}
}

func TestParse_Errors(t *testing.T) {
	for text, want := range map[string]string{
		"":             `invalid view name ""`,
		"Pods":         `invalid view name "Pods"`,
		"v{a=b":        "parameter a: missing comma or } after the value",
		"v{a}":         `invalid parameters "a}": must be key=value pairs, separated by commas and closed by }`,
		"v{a=}":        "parameter a: missing value",
		`v{a="b}`:      `parameter a: missing closing "`,
		`v{a="b"c}`:    `parameter a: missing comma or } after the closing "`,
		"v{a=b=c}":     "parameter a: missing comma or } after the value",
		"v{a=b}.1":     `invalid path ".1": must be a path such as .status.podList[0]`,
		"v{a=b} rest}": `invalid path "rest}": must be a path such as .status.podList[0]`,
	} {
		if _, err := query.Parse(text); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// FuzzParse returns only queries with a view, valid paths and JSON parameters.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"v", `view-1{a=b, c="d=e",}.status[0]`, "v{a=1e999}", "v{a=-0x1}", "v{==}", `v{a="}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := query.Parse(text)
		if err != nil {
			return
		}
		if _, err := json.Marshal(q.Parameter); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if q.View == "" || q.Export != "" && !query.ValidExport(q.Export) {
			t.Errorf("%q is parsed as %+v", text, q)
		}
	})
}
