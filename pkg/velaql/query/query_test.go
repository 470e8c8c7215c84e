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

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":             `"" is not the name of a view`,
		"Pods":         `"Pods" is not the name of a view`,
		"v{a=b":        "parameter a: needs a comma or } behind its value",
		"v{a}":         `parameters must be key=value, with a comma between them and } behind the last, not "a}"`,
		"v{a=}":        "parameter a: has no value",
		`v{a="b}`:      `parameter a: has no closing "`,
		`v{a="b"c}`:    `parameter a: needs a comma or } behind the closing "`,
		"v{a=b=c}":     "parameter a: needs a comma or } behind its value",
		"v{a=b}.1":     `".1" is not a path such as .status.podList[0]`,
		"v{a=b} rest}": `"rest}" is not a path such as .status.podList[0]`,
	} {
		if _, err := query.Parse(text); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// FuzzParse: what is accepted can be asked for.
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
			t.Errorf("%q is read as %+v", text, q)
		}
	})
}
