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
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/encoding/yaml"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/controller/workload"
)

// crds writes the CRDs of controller-gen as a list.
func crds(addon string) error {
	files, err := filepath.Glob(filepath.Join(addon, "crds", "*.yaml"))
	if err != nil {
		return err
	}
	list := &ast.ListLit{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		parsed, err := yaml.Extract(file, text)
		if err != nil {
			return err
		}
		list.Elts = append(list.Elts, &ast.StructLit{Elts: parsed.Decls})
	}
	text, err := format.Node(&ast.Field{Label: ast.NewIdent("crds"), Value: list})
	if err != nil {
		return err
	}
	return write(filepath.Join(addon, "resources", "crds.cue"), string(text))
}

// templates writes the built-in actions and worker templates, as they are.
func templates(resources string) error {
	files, err := actions.FS.ReadDir(".")
	if err != nil {
		return err
	}
	all := "actions: {\n"
	for _, f := range files {
		text, err := actions.FS.ReadFile(f.Name())
		if err != nil {
			return err
		}
		all += fmt.Sprintf("\t%q: %s\n", strings.TrimSuffix(f.Name(), ".cue"), raw(string(text)))
	}
	return errors.Join(
		write(filepath.Join(resources, "actions.cue"), all+"}"),
		write(filepath.Join(resources, "workers.cue"), "workers: default: "+raw(workload.Default())),
	)
}

// raw quotes lines of text without escapes.
func raw(text string) string {
	marks := "#"
	for strings.Contains(text, `"""`+marks) || strings.Contains(text, `\`+marks) {
		marks += "#"
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = "\t\t" + line
		}
	}
	return marks + `"""` + "\n" + strings.Join(lines, "\n") + "\n\t\t" + `"""` + marks
}

// write writes a file of the addon's package.
func write(file, text string) error {
	return os.WriteFile(file, []byte("// Made by `make generate`.\n\npackage main\n\n"+text+"\n"), 0o644)
}

// copies writes the definitions where KubeVela reads them.
func copies(from, to string) error {
	old, err := filepath.Glob(filepath.Join(to, "*.cue"))
	if err != nil {
		return err
	}
	for _, file := range old {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	files, err := filepath.Glob(filepath.Join(from, "*.cue"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(file)), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
