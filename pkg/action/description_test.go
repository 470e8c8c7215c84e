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
	"testing"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/action"
)

// TestDescription: the description is that of the metadata, else the first comment.
func TestDescription(t *testing.T) {
	for source, want := range map[string]string{
		"parameter: {}": "",
		"{":             "",
		"// Do it\n// twice.\n//\n// Or not.\nparameter: {}":                                                  "Do it twice.",
		"import \"strings\"\n\n// Later.\nparameter: {}":                                                      "",
		"// A comment.\n\"x\": {type: \"trigger-action\", description: \"Do\\nit\"}\ntemplate: parameter: {}": "Do it",
		"\"x\": type: \"trigger-action\"\ntemplate: parameter: {}":                                            "",
	} {
		if got := action.Description(source); got != want {
			t.Errorf("%q: got %q, want %q", source, got, want)
		}
	}
}

// TestParameterSchema_BuiltIn: each built-in action has a description and a schema.
func TestParameterSchema_BuiltIn(t *testing.T) {
	files, err := actions.FS.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		source, err := actions.FS.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if action.Description(string(source)) == "" {
			t.Errorf("%s has no description", f.Name())
		}
		template, problems := action.Parse(f.Name(), string(source))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		s, err := template.ParameterSchema()
		if err != nil || s["type"] != "object" {
			t.Errorf("%s: got schema %v, %v", f.Name(), s, err)
		}
	}
}
