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

package schema

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestSchema_OpenAPI compares the schema of each form.
func TestSchema_OpenAPI(t *testing.T) {
	for text, want := range map[string]string{
		`a: string`:                     `{"a":{"type":"string"}} a`,
		`a?: string`:                    `{"a":{"type":"string"}}`,
		`a: *"" | string`:               `{"a":{"default":"","type":"string"}}`,
		`a: *"x" | "y"`:                 `{"a":{"default":"x","enum":["x","y"],"type":"string"}}`,
		`a: "x" | "y"`:                  `{"a":{"enum":["x","y"],"type":"string"}} a`,
		`a: *1 | int & >=0`:             `{"a":{"default":1,"minimum":0,"type":"integer"}}`,
		`a: int & >0 & <=9`:             `{"a":{"exclusiveMinimum":true,"maximum":9,"minimum":0,"type":"integer"}} a`,
		`a: =~"^b"`:                     `{"a":{"pattern":"^b","type":"string"}} a`,
		"#B: =~\"^b\"\na: #B":           `{"a":{"pattern":"^b","type":"string"}} a`,
		`a: number | string`:            `{"a":{"anyOf":[{"type":"number"},{"type":"string"}]}} a`,
		`a: string | null`:              `{"a":{"nullable":true,"type":"string"}} a`,
		`a: _`:                          `{"a":{}} a`,
		`a?: [...string]`:               `{"a":{"items":{"type":"string"},"type":"array"}}`,
		`a: [string]: bool`:             `{"a":{"additionalProperties":{"type":"boolean"},"type":"object"}}`,
		`a: {...}`:                      `{"a":{"additionalProperties":true,"type":"object"}}`,
		`a: b: int`:                     `{"a":{"additionalProperties":false,"properties":{"b":{"type":"integer"}},"required":["b"],"type":"object"}} a`,
		`a: b: *1 | int`:                `{"a":{"additionalProperties":false,"properties":{"b":{"default":1,"type":"integer"}},"type":"object"}}`,
		"// +usage=The text\na: string": `{"a":{"description":"The text","type":"string"}} a`,
	} {
		s, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.OpenAPI()
		if err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(got["properties"])
		if err != nil {
			t.Fatal(err)
		}
		line := string(out)
		if required, ok := got["required"].([]any); ok {
			for _, r := range required {
				line += " " + r.(string)
			}
		}
		if line != want || got["type"] != "object" || got["additionalProperties"] != false {
			t.Errorf("%s:\ngot  %s\nwant %s\nin %v", text, line, want, got)
		}
	}
}

// TestSchema_OpenAPILimits: a definition that contains itself ends, and a large schema is an
// error.
func TestSchema_OpenAPILimits(t *testing.T) {
	s, err := Parse("#Node: children?: [...#Node]\nroot: #Node")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.OpenAPI(); err != nil {
		t.Error(err)
	}
	var many strings.Builder
	for i := range maxOpenAPI {
		fmt.Fprintf(&many, "field%d?: int\n", i)
	}
	if s, err = Parse(many.String()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.OpenAPI(); err == nil || !strings.Contains(err.Error(), "more than 1000") {
		t.Errorf("got error %v, want one about the number of fields", err)
	}
}
