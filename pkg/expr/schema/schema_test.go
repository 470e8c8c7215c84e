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

package schema_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/expr/schema"
)

const text = `
// +usage=The api version
apiVersion: string
kind: string
namespace: *"" | string
events: *["create"] | [...("create" | "update" | "delete")]
matchingLabels?: [string]: string
limit: *5 | int & >=0
nested?: {
	// The name.
	name: string
	size?: int
}
free?: {...}
`

func TestSchema_Check(t *testing.T) {
	s, err := schema.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	const ok = `"apiVersion": "v1", "kind": "Pod"`
	for _, tc := range []struct{ name, in, want string }{
		{"valid", `{` + ok + `}`, ``},
		{"all fields", `{` + ok + `, "namespace": "a", "events": ["update"], "matchingLabels": {"a/b": "c"}, "limit": 3, "nested": {"name": "x"}, "free": {"any": [1]}}`, ``},
		{"no fields", `{}`, "apiVersion: is required: string\nkind: is required: string"},
		{"unknown", `{` + ok + `, "namspace": "a"}`, `namspace: unknown field; did you mean "namespace"?`},
		{"unknown without suggestion", `{` + ok + `, "zzz": 1, "nested": {"name": "a", "q": 1}}`,
			"nested.q: unknown field; known fields: name, size\nzzz: unknown field; known fields: apiVersion, kind, namespace, events, matchingLabels, limit, nested, free"},
		{"wrong type", `{"apiVersion": 1, "kind": ["x"]}`, "apiVersion: must be string, not number\nkind: must be string, not a list"},
		{"wrong string", `{` + ok + `, "events": ["create", "updat"]}`, `events[1]: must be one of "create", "update", "delete", not "updat"; did you mean "update"?`},
		{"not a list", `{` + ok + `, "events": "create"}`, `events: must be a list of one of "create", "update", "delete", not string`},
		{"out of bounds", `{` + ok + `, "limit": -1}`, `limit: must be`},
		{"missing inside", `{` + ok + `, "nested": {}}`, `nested.name: is required: string`},
		{"null", `{` + ok + `, "namespace": null, "events": [null], "free": null}`,
			"events[0]: must be one of \"create\", \"update\", \"delete\", not null\nfree: must be an object, not null\nnamespace: must be string, not null"},
		{"not an object", `{` + ok + `, "nested": "x"}`, `nested: must be an object, not string`},
		{"label value", `{` + ok + `, "matchingLabels": {"a": 1}}`, `matchingLabels.a: `},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := s.Check(object(t, tc.in)).Error()
			if tc.want == "" && got != "" || !strings.HasPrefix(got, tc.want) {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestSchema_CheckAlternatives: data is compared with the alternative that takes it, also beside one
// that has no type, and with the default if none does.
func TestSchema_CheckAlternatives(t *testing.T) {
	s, err := schema.Parse(`
provider: *#A | #B | #C
#A: {type: "a", key: string}
#B: {type: "b", token: *"" | string}
#C: {id: string}
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ in, want string }{
		{`{"provider": {"type": "b", "token": "x"}}`, ""},
		{`{"provider": {"id": "x"}}`, ""},
		{`{"provider": {"type": "a", "key": "x"}}`, ""},
		{`{"provider": {"type": "a"}}`, "provider.key: is required: string"},
		{`{"provider": {"tokn": "x"}}`, "provider.key: is required: string\nprovider.tokn: unknown field"},
	} {
		if got := s.Check(object(t, tc.in)).Error(); tc.want == "" && got != "" || !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s: got %s, want %s", tc.in, got, tc.want)
		}
	}
}

func TestSchema_DecodeDefaults(t *testing.T) {
	s, err := schema.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	type properties struct {
		APIVersion, Kind, Namespace string
		Events                      []string
		Limit                       int
	}
	var got properties
	if problems := s.Decode(object(t, `{"apiVersion": "v1", "kind": "Pod"}`), &got); len(problems) > 0 {
		t.Fatal(problems)
	}
	if diff := cmp.Diff(properties{"v1", "Pod", "", []string{"create"}, 5}, got); diff != "" {
		t.Error(diff)
	}
}

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}
