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

package definitions_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/encoding/openapi"

	"github.com/kubevela/kube-trigger/test/trait"
)

// schemaContext is all that KubeVela gives to a template whose schema it generates.
const schemaContext = `
context: {
	name: string
	config?: [...{name: string, value: string}]
	...
}
`

// TestSchema generates the OpenAPI schema of each definition's parameters as KubeVela does
// since v1.10: the template has neither parameters nor the objects of a component. An error
// of any field of the template is one of the definition.
func TestSchema(t *testing.T) {
	files, err := filepath.Glob("../addon/definitions/*.cue")
	if err != nil || len(files) < 4 {
		t.Fatalf("got definitions %v and error %v, want at least 4", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".cue"), func(t *testing.T) {
			v := cuecontext.New().CompileString(trait.Template(t, file) + schemaContext)
			if err := v.Err(); err != nil {
				t.Fatal(err)
			}
			parameter := v.Context().CompileString("{}").FillPath(cue.MakePath(cue.Def("parameter")), v.LookupPath(cue.ParsePath("parameter")))
			if _, err := openapi.Gen(parameter, &openapi.Config{ExpandReferences: true}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTemplate_OtherCluster renders the traits for a component that reads a ConfigMap, in the
// cluster of the Application and in another one, from where it cannot be bumped.
func TestTemplate_OtherCluster(t *testing.T) {
	const rendered = `
context: {
	appName: "shop", name: "web", namespace: "prod", cluster: "CLUSTER"
	output: {apiVersion: "apps/v1", kind: "Deployment", spec: template: spec: containers: [{
		name: "web", env: [{name: "COLOR", valueFrom: configMapKeyRef: {name: "settings", key: "color"}}]
	}]}
}
`
	const triggers = `
parameter: triggers: [
	{name: "bump"},
	{name: "log", action: {type: "log", properties: message: "changed"}},
]
`
	for _, tc := range []struct {
		trait, parameters, cluster string
		want                       []string
	}{
		{"bump-on-change", "", "local", []string{"config", "edits"}},
		{"bump-on-change", "", "edge", nil},
		{"trigger", triggers, "local", []string{"bump", "log", "edits"}},
		{"trigger", triggers, "edge", []string{"log"}},
	} {
		t.Run(tc.trait+" in "+tc.cluster, func(t *testing.T) {
			v := cuecontext.New().CompileString(trait.Template(t, tc.trait+".cue") + tc.parameters + strings.Replace(rendered, "CLUSTER", tc.cluster, 1))
			if err := v.Err(); err != nil {
				t.Fatal(err)
			}
			var got []string
			if list := v.LookupPath(cue.ParsePath("outputs.service.spec.triggers")); list.Exists() {
				var triggers []struct{ Name string }
				if err := list.Decode(&triggers); err != nil {
					t.Fatal(err)
				}
				for _, trigger := range triggers {
					got = append(got, trigger.Name)
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got triggers %v, want %v", got, tc.want)
			}
		})
	}
}
