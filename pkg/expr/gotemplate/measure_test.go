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
	"encoding/json"
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
}

// A value that is absent or no quantity never loses a message; a text of the template that
// is none is refused.
func TestTemplate_MeasuresOfOtherValues(t *testing.T) {
	values := map[string]any{"text": "large", "n": int64(4), "none": nil, "object": map[string]any{}, "version": "v1.10.0"}
	for source, want := range map[string]string{
		// kyverno/kyverno#5953: an annotation that is no quantity
		`{{if gt (quantity .text) (quantity "10Gi")}}large{{else}}small{{end}}`:   "small",
		`{{if gt (quantity .none) (quantity "10Gi")}}large{{else}}small{{end}}`:   "small",
		`{{quantity .object}}{{quantity "1k"}}`:                                   "1000",
		`{{if lt (timestamp .missing) (timestamp "2026-01-01")}}old{{end}}`:       "",
		`{{default 0 (timestamp .n)}}`:                                            "0",
		`{{quantity (printf "%dk" .n)}}`:                                          "4000",
		`{{gt (version .version) (version "1.9.0")}} {{default "-" (version 5)}}`: "true -",
	} {
		parsed, err := gotemplate.Parse(source, gotemplate.Plain)
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		if got, err := parsed.Execute(values); err != nil || got.Text != want {
			t.Errorf("%s: got %q, %v; want %q", source, got.Text, err, want)
		}
	}
	for source, want := range map[string]string{
		`{{gt (quantity .x) (quantity "10GB")}}`: `"10GB" is not a quantity such as "10Gi" or "500m"; did you mean "10G"?`,
		`{{quantity "1e2147483600"}}`:            "is not a quantity",
		"a\n{{timestamp \"yesterday\"}}":         `template: it:2: "yesterday" is neither a time`,
		`{{version "latest"}}`:                   "is not a version",
	} {
		if _, err := gotemplate.Parse(source, gotemplate.Plain); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", source, err, want)
		}
	}
}

// printf takes a number with each verb for numbers, whatever JSON wrote it like:
// helm/helm#11522, containers/nri-plugins#247, docker/docker-agent#2172; and in full:
// kelseyhightower/confd#186, gohugoio/hugo#13241.
func TestTemplate_PrintfNumbers(t *testing.T) {
	values := map[string]any{"n": int64(80), "f": 80.0, "half": 0.5, "big": 1234567.5, "huge": json.Number("123456789012345678901"), "long": json.Number("1e999999999"), "none": nil}
	for source, want := range map[string]string{
		`{{printf "%d %d %03d" .n .f .f}}`:                   "80 80 080",
		`{{printf "%s %s %5s|%-5s|" .n .f .f .n}}`:           "80 80    80|80   |",
		`{{printf "%.2f %.1f %f" .n .half .huge}}`:           "80.00 0.5 123456789012345678901.000000",
		`{{printf "%v %v %v" .f .big .huge}} {{print .big}}`: "80 1234567.5 123456789012345678901 1234567.5",
		`{{printf "%d %d" .huge .half}}`:                     "123456789012345678901 0.5",
		`{{printf "%d|%s|%.1f" .none .none .none}}`:          "||",
		`{{printf "%[2]d %[1]s" .n .f}}`:                     "80 80",
		`{{printf "%*d" .n 5 | len}}`:                        "80",
		`{{printf "%d %.2f" .long .long}}`:                   "1e999999999 1e999999999",
		`{{print .n .f}}`:                                    "80 80",
	} {
		parsed, err := gotemplate.Parse(source, gotemplate.Plain)
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		if got, err := parsed.Execute(values); err != nil || got.Text != want {
			t.Errorf("%s: got %q, %v; want %q", source, got.Text, err, want)
		}
	}
}

// What a function takes a part of may be of another kind in the next event: then the part
// is absent, and no message is lost. prometheus/alertmanager#1053, mr-karan/calert#54
func TestTemplate_PartsOfOtherKinds(t *testing.T) {
	values := map[string]any{"n": int64(1234567), "half": 0.5, "flag": true, "huge": json.Number("123456789012345678901")}
	for name := range values {
		parsed, err := gotemplate.Parse("{{index ."+name+" 0}}|{{slice ."+name+" 0 7}}|{{len ."+name+"}}", gotemplate.Plain)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parsed.Execute(values); err != nil || got.Text != "||" || len(got.Absent) != 3 {
			t.Errorf("%s: got %q, %v, absent %v", name, got.Text, err, got.Absent)
		}
	}
}

// A loop over a value of another kind is one over nothing, and loses no message.
func TestTemplate_RangeOfOtherKinds(t *testing.T) {
	values := map[string]any{"text": "abc", "flag": true, "half": 0.5, "none": nil, "list": []any{"a", "b"}, "object": map[string]any{"k": "v"}, "n": int64(2)}
	for name, want := range map[string]string{"text": "none", "flag": "none", "half": "none", "none": "none", "missing": "none", "list": "0a1b", "object": "kv", "n": "none"} {
		parsed, err := gotemplate.Parse("{{range $i, $e := ."+name+"}}{{$i}}{{$e}}{{else}}none{{end}}", gotemplate.Plain)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parsed.Execute(values); err != nil || got.Text != want {
			t.Errorf("%s: got %q, %v; want %q", name, got.Text, err, want)
		}
	}
	parsed, err := gotemplate.Parse("{{range .n}}{{.}}{{end}}{{range $i := .n}}{{$i}}{{end}}{{range 2}}x{{end}}", gotemplate.Plain)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parsed.Execute(values); err != nil || got.Text != "0101xx" {
		t.Errorf("got %q, %v", got.Text, err)
	}
}

// A call that can never succeed is refused before any event: mr-karan/calert#54 (title is a
// function of a text elsewhere).
func TestParse_Arguments(t *testing.T) {
	for source, want := range map[string]string{
		"{{.data.name | title}}":     "wrong number of arguments for title: 0, not 1",
		"{{default}}":                "wrong number of arguments for default: at least 1, not 0",
		"a\n{{if ne .a}}{{end}}":     "template: it:2: wrong number of arguments for ne: 2, not 1",
		"{{range slice}}{{end}}":     "wrong number of arguments for slice: at least 1, not 0",
		"{{with (quantity)}}{{end}}": "wrong number of arguments for quantity: 1, not 0",
		"{{.a | default 1}}":         "", "{{title}}": "", "{{.a | ne 1}}": "", "{{index .a}}": "",
	} {
		_, err := gotemplate.Parse(source, gotemplate.Plain)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", source, err, want)
		}
	}
}
