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

package catalog

import (
	"fmt"

	"sigs.k8s.io/yaml"
)

// parseExamples returns the source or the action of the triggers in a configuration, by type.
func parseExamples(text []byte, part string) (map[string]map[string]any, error) {
	var config struct {
		Triggers []map[string]any `json:"triggers"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("parse examples: %w", err)
	}
	found := map[string]map[string]any{}
	for _, t := range config.Triggers {
		if v, ok := t[part].(map[string]any); ok {
			name, _ := v["type"].(string)
			if found[name] == nil {
				found[name] = v
			}
		}
	}
	return found, nil
}

// placeholders returns values for the required fields in the schema of an object.
func placeholders(object map[string]any) map[string]any {
	properties, _ := object["properties"].(map[string]any)
	required, _ := object["required"].([]any)
	out := map[string]any{}
	for _, name := range required {
		p, _ := properties[name.(string)].(map[string]any)
		out[name.(string)] = placeholder(p)
	}
	return out
}

func placeholder(s map[string]any) any {
	if values, ok := s["enum"].([]any); ok && len(values) > 0 {
		return values[0]
	}
	if forms, ok := s["anyOf"].([]any); ok && len(forms) > 0 {
		first, _ := forms[0].(map[string]any)
		return placeholder(first)
	}
	switch s["type"] {
	case "object":
		return placeholders(s)
	case "array":
		return []any{}
	case "boolean":
		return false
	case "integer", "number":
		if least, ok := s["minimum"]; ok {
			return least
		}
		return 1
	}
	return "TODO"
}
