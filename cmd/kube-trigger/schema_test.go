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

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/config"
)

// jsonSchema returns what schema prints for a form.
func jsonSchema(t *testing.T, form string) string {
	t.Helper()
	var out bytes.Buffer
	cmd := command(name)
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"schema", form})
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestCommands_Schema checks that docs/schema is up to date.
func TestCommands_Schema(t *testing.T) {
	for _, form := range schemaForms() {
		golden(t, "../../docs/schema/"+form+".json", jsonSchema(t, form))
	}
}

func compileSchema(t *testing.T, form string) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(jsonSchema(t, form)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// checkDocuments validates each document of YAML, and returns how many there are.
func checkDocuments(schema *jsonschema.Schema, text string) (n int, err error) {
	for _, part := range regexp.MustCompile(`(?m)^---.*$`).Split(text, -1) {
		data, err := yaml.YAMLToJSON([]byte(part))
		if err != nil {
			return n, err
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			return n, err
		}
		if document == nil {
			continue
		}
		n++
		if err := schema.Validate(document); err != nil {
			return n, err
		}
	}
	return n, nil
}

// TestSchema_Valid: the schema accepts each example, and each file that the scripts find valid.
func TestSchema_Valid(t *testing.T) {
	schema := compileSchema(t, "config")
	files, err := filepath.Glob("../../examples/*/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("got %d examples, %v", len(files), err)
	}
	for _, file := range files {
		if config.IsTest(file) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := checkDocuments(schema, string(text)); err != nil || n == 0 {
			t.Errorf("%s: %d documents, %v", file, n, err)
		}
	}
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	accepted := regexp.MustCompile(`(?m)^exec kube-trigger (?:vet|validate) (.*)$`)
	checked := 0
	for _, script := range scripts {
		archive, err := txtar.ParseFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range accepted.FindAllStringSubmatch(string(archive.Comment), -1) {
			for _, f := range archive.Files {
				if !strings.HasSuffix(f.Name, ".yaml") && !strings.HasSuffix(f.Name, ".json") || !strings.Contains(" "+call[1]+" ", " "+f.Name+" ") {
					continue
				}
				checked++
				if _, err := checkDocuments(schema, string(f.Data)); err != nil {
					t.Errorf("%s: %s: %v", script, f.Name, err)
				}
			}
		}
	}
	if checked < 10 {
		t.Errorf("got %d valid files of scripts, want more", checked)
	}
}

// TestSchema_Invalid: the schema rejects what is broken, and says where.
func TestSchema_Invalid(t *testing.T) {
	config, service := compileSchema(t, "config"), compileSchema(t, "triggerservice")
	const cron = "source: {type: cronjob, properties: {schedule: '@daily'}}"
	for trigger, want := range map[string]string{
		cron + ", action: {type: log, properties: {mesage: x}}":                                              "mesage",
		cron + ", action: {type: patch-resource, properties: {}}":                                            "'resource'",
		cron + ", action: {type: patch-resource}":                                                            "'properties'",
		cron + ", actions: [{type: log, properties: {message: 3}}]":                                          "/triggers/0/actions/0/properties/message",
		cron + ", acton: {type: log}":                                                                        "acton",
		cron + ", action: {type: log}, timeout: soon":                                                        "/triggers/0/timeout",
		cron + ", action: {type: log}, retry: {limit: -1}":                                                   "/triggers/0/retry/limit",
		cron + ", action: {properties: {message: x}}":                                                        "'type'",
		"source: {type: cronjob}, action: {type: log}":                                                       "'properties'",
		"source: {type: cronjo, properties: {}}, action: {type: log}":                                        "/triggers/0/source/type",
		"source: {type: resource-watcher, properties: {apiVersion: v1, kin: Pod}}, action: {type: log}":      "kin",
		"source: {type: resource-watcher, properties: {apiVersion: v1, kind: P, events: [updat]}}":           "/events/0",
		"source: {type: webhook, properties: {auth: {type: github, secret: {nam: x}}}}, action: {type: log}": "/auth",
	} {
		text := fmt.Sprintf("{triggers: [{%s}]}", trigger)
		if _, err := checkDocuments(config, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", text, err, want)
		}
		text = fmt.Sprintf("{apiVersion: standard.oam.dev/v1alpha1, kind: TriggerService, metadata: {name: a}, spec: {triggers: [{%s}]}}", trigger)
		for _, schema := range []*jsonschema.Schema{config, service} {
			if _, err := checkDocuments(schema, text); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want an error with %q", text, err, want)
			}
		}
	}
	for _, text := range []string{"triggers: []", "{}", "kind: TriggerService", "a"} {
		if _, err := checkDocuments(config, text); err == nil {
			t.Errorf("%s: got no error", text)
		}
	}
	// cue computes properties, and other actions may be in the cluster.
	for _, action := range []string{"{type: patch-resource, cue: 'resource: {}'}", "{type: own, properties: {a: 1}}"} {
		if _, err := checkDocuments(config, fmt.Sprintf("{triggers: [{%s, action: %s}]}", cron, action)); err != nil {
			t.Errorf("%s: %v", action, err)
		}
	}
}
