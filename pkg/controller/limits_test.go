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

package controller_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// TestLimits_Schema: each text, list and map of a TriggerService has a maximum length,
// except properties, whose fields the schema does not know.
func TestLimits_Schema(t *testing.T) {
	text, err := os.ReadFile("../../addon/crds/standard.oam.dev_triggerservices.yaml")
	if err != nil {
		t.Fatal(err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(text, crd); err != nil {
		t.Fatal(err)
	}
	properties := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties
	for _, name := range []string{"spec", "status"} {
		checkLimits(t, name, properties[name])
	}
}

func checkLimits(t *testing.T, path string, s apiextensionsv1.JSONSchemaProps) {
	t.Helper()
	switch {
	case s.XPreserveUnknownFields != nil && *s.XPreserveUnknownFields:
		if !strings.HasSuffix(path, ".properties") {
			t.Errorf("%s has unknown fields", path)
		}
	case s.Type == "string" && len(s.Enum) == 0 && s.Format != "date-time" && s.MaxLength == nil,
		s.Type == "array" && s.MaxItems == nil, s.AdditionalProperties != nil && s.MaxProperties == nil:
		t.Errorf("%s, of type %s, has no maximum length", path, s.Type)
	}
	if s.Items != nil && s.Items.Schema != nil {
		checkLimits(t, path+"[]", *s.Items.Schema)
	}
	for name, property := range s.Properties {
		checkLimits(t, path+"."+name, property)
	}
}

// TestLimits: the API server accepts a TriggerService at its limits, and refuses what
// exceeds them.
func TestLimits(t *testing.T) {
	e := newEnv(t)
	// filter and name are those of the last of n triggers, which has the other fields.
	create := func(n int, filter, name, fields, spec string) error {
		var triggers strings.Builder
		for i := range n {
			fmt.Fprintf(&triggers, `  - {name: t%d, source: {type: cron}, action: {type: log}}`+"\n", i)
		}
		fmt.Fprintf(&triggers, "  - {name: %s, source: {type: cron}, action: {type: log}, filter: '%s'%s}", name, filter, fields)
		text := fmt.Sprintf("apiVersion: standard.oam.dev/v1alpha1\nkind: TriggerService\nmetadata: {name: main, namespace: %s}\nspec:\n  triggers:\n%s\n%s\n", e.ns, triggers.String(), spec)
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), o); err != nil {
			t.Fatal(err)
		}
		return e.client.Create(t.Context(), o, client.DryRunAll)
	}
	a := func(n int) string { return strings.Repeat("a", n) }
	if err := create(199, a(64<<10), a(63), ", concurrency: 1000, timeout: 1h0m0.5s", "  serviceAccountName: "+a(253)); err != nil {
		t.Errorf("at the limits: %v", err)
	}
	for name, tt := range map[string]struct {
		n                          int
		filter, name, fields, spec string
		want                       string
	}{
		"triggers":        {200, "", "a", "", "", "spec.triggers"},
		"filter":          {0, a(64<<10 + 1), "a", "", "", "spec.triggers[0].filter"},
		"cue":             {0, "", "a", ", actions: [{type: log, cue: " + a(64<<10+1) + "}]", "", "spec.triggers[0].actions[0].cue"},
		"name":            {0, "", a(64), "", "", "spec.triggers[0].name"},
		"onChange":        {0, "", "a", ", onChange: [" + strings.Repeat("a,", 65) + "]", "", "spec.triggers[0].onChange"},
		"path":            {0, "", "a", ", onChange: [" + a(1025) + "]", "", "spec.triggers[0].onChange[0]"},
		"timeout":         {0, "", "a", ", timeout: " + strings.Repeat("0", 64) + "s", "", "spec.triggers[0].timeout"},
		"concurrency":     {0, "", "a", ", concurrency: 1001", "", "spec.triggers[0].concurrency"},
		"retries":         {0, "", "a", ", retry: {limit: 1001}", "", "spec.triggers[0].retry.limit"},
		"service account": {0, "", "a", "", "  serviceAccountName: " + a(254), "spec.serviceAccountName"},
	} {
		if err := create(tt.n, tt.filter, tt.name, tt.fields, tt.spec); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), tt.want+": ") {
			t.Errorf("%s: got error %s, want Invalid for %s", name, fmt.Sprint(err), tt.want)
		}
	}
}
