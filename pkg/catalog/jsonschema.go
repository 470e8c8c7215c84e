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
	"maps"
	"slices"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/config"
)

// Forms of documents that have a JSON Schema.
const (
	// ConfigForm is a file for `run`: a document with triggers, a TriggerService, or an object of
	// another kind.
	ConfigForm = "config"
	// TriggerServiceForm is a TriggerService.
	TriggerServiceForm = "triggerservice"
)

// schemaVersion is the version of JSON Schema.
const schemaVersion = "https://json-schema.org/draft/2020-12/schema"

// JSONSchema returns the JSON Schema of documents of a form, with the properties of the sources and
// actions among the entries. Other types of actions are allowed, with any properties.
func JSONSchema(form string, entries []Entry) (map[string]any, error) {
	spec, err := config.OpenAPI()
	if err != nil {
		return nil, err
	}
	spec = draft2020(spec)
	definitions := map[string]any{"spec": spec}
	properties := object(spec, "properties")
	triggers := object(properties, "triggers")
	triggers["minItems"] = 1
	spec["required"] = []any{"triggers"}
	trigger := object(triggers, "items")
	triggers["items"] = reference("trigger")
	definitions["trigger"] = trigger
	fields := object(trigger, "properties")
	addTypes(definitions, object(fields, "source"), Source, entries)
	addTypes(definitions, object(fields, "action"), Action, entries)
	addTypes(definitions, object(object(fields, "actions"), "items"), Action, entries)
	definitions["triggerservice"] = map[string]any{
		"type":     "object",
		"required": []any{"apiVersion", "kind", "metadata", "spec"},
		"properties": map[string]any{
			"apiVersion": map[string]any{"const": v1alpha1.GroupVersion().String()},
			"kind":       map[string]any{"const": v1alpha1.TriggerServiceKind},
			"metadata":   map[string]any{"type": "object"},
			"spec":       reference("spec"),
			"status":     map[string]any{"type": "object"},
		},
		"additionalProperties": false,
	}
	out := map[string]any{"$schema": schemaVersion, "$defs": definitions}
	if form == TriggerServiceForm {
		out["title"], out["$ref"] = "TriggerService of kube-trigger", "#/$defs/triggerservice"
		return out, nil
	}
	out["title"] = "Configuration of kube-trigger"
	out["if"] = map[string]any{"required": []any{"kind"}}
	out["then"] = map[string]any{
		"if":   map[string]any{"properties": map[string]any{"kind": map[string]any{"const": v1alpha1.TriggerServiceKind}}},
		"then": reference("triggerservice"),
	}
	out["else"] = reference("spec")
	return out, nil
}

// addTypes adds to the schema of a source or an action the schema of the properties of each type.
func addTypes(definitions, schema map[string]any, kind string, entries []Entry) {
	fields := object(schema, "properties")
	var types, cases []any
	for _, e := range entries {
		if e.Kind != kind {
			continue
		}
		types = append(types, e.Type)
		name := kind + "." + e.Type
		properties := draft2020(e.Schema)
		properties["description"] = e.Description
		required, _ := properties["required"].([]any)
		delete(properties, "required") // the field cue may compute them
		definitions[name] = properties
		then := map[string]any{"properties": map[string]any{"properties": reference(name)}}
		if len(required) > 0 {
			then["if"] = map[string]any{"not": map[string]any{"required": []any{"cue"}}}
			then["then"] = map[string]any{
				"required":   []any{"properties"},
				"properties": map[string]any{"properties": map[string]any{"required": required}},
			}
		}
		cases = append(cases, map[string]any{
			"if":   map[string]any{"required": []any{"type"}, "properties": map[string]any{"type": map[string]any{"const": e.Type}}},
			"then": then,
		})
	}
	known := map[string]any{"enum": types}
	if kind == Action { // there may be other actions in the cluster
		known = map[string]any{"anyOf": []any{known, map[string]any{"type": "string"}}}
	}
	fields["type"] = known
	schema["required"], schema["allOf"] = []any{"type"}, cases
}

// object returns the schema at a field.
func object(schema map[string]any, field string) map[string]any {
	inner, _ := schema[field].(map[string]any)
	return inner
}

func reference(name string) map[string]any { return map[string]any{"$ref": "#/$defs/" + name} }

// draft2020 returns an OpenAPI v3 schema as JSON Schema of the draft 2020-12: `nullable` and
// exclusive bounds differ.
func draft2020(schema map[string]any) map[string]any {
	out := maps.Clone(schema)
	for _, key := range []string{"items", "additionalProperties"} {
		if inner, ok := out[key].(map[string]any); ok {
			out[key] = draft2020(inner)
		}
	}
	if properties, ok := out["properties"].(map[string]any); ok {
		properties = maps.Clone(properties)
		for name, p := range properties {
			inner, _ := p.(map[string]any)
			properties[name] = draft2020(inner)
		}
		out["properties"] = properties
	}
	if forms, ok := out["anyOf"].([]any); ok {
		forms = slices.Clone(forms)
		for i, f := range forms {
			inner, _ := f.(map[string]any)
			forms[i] = draft2020(inner)
		}
		out["anyOf"] = forms
	}
	for bound, exclusive := range map[string]string{"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"} {
		if out[exclusive] == true {
			out[exclusive] = out[bound]
			delete(out, bound)
		}
	}
	if out["nullable"] == true {
		delete(out, "nullable")
		out = map[string]any{"anyOf": []any{out, map[string]any{"type": "null"}}}
	}
	return out
}
