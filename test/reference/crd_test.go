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

package reference_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/test/reference"
)

// TestTriggerService checks that docs/reference/triggerservice.md is up to date with the
// CustomResourceDefinition of TriggerServices, and that each field has a description.
func TestTriggerService(t *testing.T) {
	text, err := os.ReadFile(root + "/addon/crds/standard.oam.dev_triggerservices.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(text, &crd); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("# TriggerService\n\nLook up each field of a TriggerService here: its type, its default, its limits and its meaning. The API version is\n`" +
		crd.Spec.Group + "/" + crd.Spec.Versions[0].Name + "`. " +
		"[Triggers](../triggers.md) explains the fields of a trigger,\n[Run triggers in a cluster](../cluster.md) the others, and " +
		"[Operations](../operations.md#reasons-in-the-status) each reason of\nthe status.\n\n" +
		"The API server checks the limits of this page when it stores a TriggerService. The controller checks everything else,\n" +
		"such as CUE and `properties`. Durations have a unit, such as `500ms`, `10s` or `1m30s`. `[]` in a heading stands for\n" +
		"each item of a list.\n\n" +
		"`go test ./test/reference -update` writes this page from addon/crds/standard.oam.dev_triggerservices.yaml, whose source\nis pkg/api/v1alpha1.\n")
	fields := 0
	for _, part := range []string{"spec", "status"} {
		for _, o := range reference.OfSchema(part, crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties[part]) {
			reference.WriteObject(&b, o, part == "status")
			for _, f := range o.Fields {
				fields++
				if f.Description == "" {
					t.Errorf("%s.%s: got no description, want one", o.Path, f.Name)
				}
			}
		}
	}
	if fields < 50 {
		t.Errorf("got %d fields, want at least 50", fields)
	}
	checkFile(t, "triggerservice.md", b.String())
}

// checkFile compares a file of docs/reference with its generated text. With -update, it
// writes the file.
func checkFile(t *testing.T, name, want string) {
	t.Helper()
	file := filepath.Join(root, "docs", "reference", name)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("%s is not up to date; run go test ./test/reference -update (%v)", file, err)
	}
}
