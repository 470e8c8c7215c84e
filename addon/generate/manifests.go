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

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/encoding/yaml"
)

// manifests writes what the addon installs with every part of it switched on.
func manifests(addon string) error {
	v, err := load(addon)
	if err != nil {
		return err
	}
	for _, part := range []struct{ file, objects string }{
		{"manifests/controller.yaml", "[for o in controller.rights {o}, controller.deployment]"},
		{"manifests/worker.yaml", "[worker.role]"},
		{"webhook/webhook.yaml", "webhook.objects"},
	} {
		objects := v.Context().CompileString(part.objects, cue.Scope(v))
		text := &bytes.Buffer{}
		fmt.Fprintf(text, "# Made by `make generate` of addon/resources, which says what each is for.\n")
		list, err := objects.List()
		if err != nil {
			return fmt.Errorf("%s: %w", part.file, err)
		}
		for first := true; list.Next(); first = false {
			object, err := yaml.Encode(list.Value())
			if err != nil {
				return fmt.Errorf("%s: %s", part.file, errors.Details(err, nil))
			}
			if !first {
				text.WriteString("---\n")
			}
			text.Write(object)
		}
		if err := os.WriteFile(filepath.Join(addon, part.file), text.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// parameters are those of the manifests.
const parameters = "package main\n\nparameter: webhook: enabled: true\n"

// load evaluates the addon as KubeVela does when it is enabled with parameters.
func load(addon string) (cue.Value, error) {
	files, err := filepath.Glob(filepath.Join(addon, "resources", "*.cue"))
	if err != nil {
		return cue.Value{}, err
	}
	metadata, err := os.ReadFile(filepath.Join(addon, "metadata.yaml"))
	if err != nil {
		return cue.Value{}, err
	}
	instance := build.NewContext().NewInstance(addon, nil)
	given, err := parser.ParseFile("parameters", parameters)
	if err != nil {
		return cue.Value{}, err
	}
	if err := instance.AddSyntax(given); err != nil {
		return cue.Value{}, err
	}
	for _, file := range append(files, filepath.Join(addon, "template.cue"), filepath.Join(addon, "parameter.cue")) {
		text, err := os.ReadFile(file)
		if err != nil {
			return cue.Value{}, err
		}
		if filepath.Base(file) == "parameter.cue" {
			text = append([]byte("package main\n"), text...)
		}
		parsed, err := parser.ParseFile(file, text)
		if err != nil {
			return cue.Value{}, err
		}
		if err := instance.AddSyntax(parsed); err != nil {
			return cue.Value{}, err
		}
	}
	about, err := yaml.Extract("metadata.yaml", metadata)
	if err != nil {
		return cue.Value{}, err
	}
	if err := instance.AddSyntax(&ast.File{Decls: []ast.Decl{
		&ast.Package{Name: ast.NewIdent("main")},
		&ast.Field{Label: ast.NewIdent("context"), Value: ast.NewStruct("metadata", &ast.StructLit{Elts: about.Decls})},
	}}); err != nil {
		return cue.Value{}, err
	}
	v := cuecontext.New().BuildInstance(instance)
	return v, v.Err()
}
