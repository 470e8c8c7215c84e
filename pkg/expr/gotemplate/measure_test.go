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

package gotemplate_test

import (
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/expr/gotemplate"
)

func TestTemplate_Measures(t *testing.T) {
	values := map[string]any{"storage": "100Gi", "cpu": "500m", "n": int64(4), "t": "2026-03-25T05:37:10Z", "none": nil}
	for source, want := range map[string]string{
		// helm-unittest/helm-unittest#837, kyverno/kyverno#3103, attune-io/attune#808
		`{{gt (quantity .storage) (quantity "10Gi")}}`:                                "true",
		`{{gt (quantity "5Gi") (quantity "10Gi")}}`:                                   "false",
		`{{lt (quantity "1") (quantity "1Gi")}} {{gt (quantity .n) (quantity .cpu)}}`: "true true",
		`{{lt (timestamp .t) (timestamp "2026-03-25T13:37:11+08:00")}}`:               "true",
		`{{timestamp "1970-01-02"}}`:                                                  "86400",
		`{{or .none 0}}{{or .missing 1}}{{or .n 2}}`:                                  "014",
	} {
		parsed, err := gotemplate.Parse(source, gotemplate.Plain)
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		if got, err := parsed.Execute(values); err != nil || got.Text != want {
			t.Errorf("%s: got %q, %v; want %q", source, got, err, want)
		}
	}
	for source, want := range map[string]string{
		`{{quantity "ten"}}`: "not a quantity", `{{quantity "1.000000000000000000000000000000e2147483600"}}`: "not a quantity", `{{quantity "1e2147483600"}}`: "not a quantity", `{{quantity .none}}`: "not a quantity", `{{quantity .}}`: "not a quantity",
		`{{timestamp "yesterday"}}`: "neither a time", `{{timestamp .n}}`: "neither a time",
	} {
		parsed, err := gotemplate.Parse(source, gotemplate.Plain)
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		if got, err := parsed.Execute(values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %q, %v; want %q", source, got, err, want)
		}
	}
}
