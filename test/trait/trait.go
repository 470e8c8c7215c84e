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

// Package trait renders KubeVela definitions without KubeVela.
package trait

import (
	"encoding/json"
	"fmt"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/parser"
	rbacv1 "k8s.io/api/rbac/v1"
)

// Template returns the imports and the fields of the template in a definition's file, which
// `vela def` writes into the definition.
func Template(t *testing.T, file string) string {
	t.Helper()
	f, err := parser.ParseFile(file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	out := &ast.File{}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.ImportDecl:
			out.Decls = append(out.Decls, d)
		case *ast.Field:
			if name, _, _ := ast.LabelName(d.Label); name == "template" {
				body, _ := d.Value.(*ast.StructLit)
				out.Decls = append(out.Decls, body.Elts...)
			}
		}
	}
	text, err := format.Node(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Action is an action of a trigger.
type Action struct {
	Type       string         `json:"type"`
	Properties map[string]any `json:"properties,omitempty"`
	CUE        string         `json:"cue,omitempty"`
}

// Application is the name of the Application that has the trait.
const Application = "shop"

// Rights returns the rules of the Role that the trait trigger in file gives to actions of a
// component in a namespace, and the error of the trait, if it has one. An action that bumps
// gets rules for Application, too.
func Rights(t *testing.T, file, namespace string, actions ...Action) ([]rbacv1.PolicyRule, string) {
	t.Helper()
	parameter, err := json.Marshal(map[string]any{"triggers": []any{map[string]any{
		"name": "test", "source": map[string]any{"type": "cronjob"}, "actions": actions,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	v := cuecontext.New().CompileString(Template(t, file) + fmt.Sprintf(`
parameter: %s
context: {
	appName: %q, name: "web", namespace: %q
	output: {apiVersion: "apps/v1", kind: "Deployment", spec: template: spec: containers: []}
}
`, parameter, Application, namespace))
	if err := v.Err(); err != nil {
		t.Fatal(err)
	}
	var rules []rbacv1.PolicyRule
	if err := v.LookupPath(cue.ParsePath("outputs.role.rules")).Decode(&rules); err != nil {
		t.Fatal(err)
	}
	var errs []string
	if err := v.LookupPath(cue.ParsePath("errs")).Decode(&errs); err != nil {
		t.Fatal(err)
	}
	if len(errs) == 0 {
		return rules, ""
	}
	return rules, errs[0]
}
