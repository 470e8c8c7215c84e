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

package app

import (
	"context"
	"errors"
	"maps"
	"slices"

	"cuelang.org/go/cue/ast"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/config"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// StdinPath is ValidateOptions.Stdin among the Files, and stdinName its name in diagnostics.
const (
	StdinPath = "-"
	stdinName = "<stdin>"
)

// Vet checks o.Files as Validate does. The triggers of all of them are one configuration. A CUE
// file is a configuration if it has the field `triggers` or `kind`, else it is an action.
func Vet(ctx context.Context, o ValidateOptions) (Validation, error) {
	if len(o.Files) == 0 {
		return Validation{}, InvalidError{errors.New("nothing to check; name a file or directory, or - for standard input, with --file (-f)")}
	}
	cfg := configuration{Mixed: true}
	cfg.readActions(o.ActionsDir)
	for _, path := range o.Files {
		var files config.Files
		if path == StdinPath {
			path = stdinName
			files = config.ReadFrom(stdinName, o.Stdin)
		} else {
			files = config.Read(path)
		}
		cfg.Config.List = append(cfg.Config.List, files.List...)
		cfg.Config.Diagnostics = append(cfg.Config.Diagnostics, files.Diagnostics...)
		if len(o.Files) == 1 {
			cfg.Config.Path = path
		}
	}
	return cfg.validate(ctx, o)
}

// sort moves the actions among the files of a Mixed configuration to its Actions, and returns how
// many they are.
func (cfg *configuration) sort(begin func(step string) (reason string)) int {
	if !cfg.Mixed {
		return 0
	}
	files := cfg.Config.List
	cfg.Config.List, cfg.Actions = nil, maps.Clone(cfg.Actions)
	if cfg.Actions == nil {
		cfg.Actions = map[string][]byte{}
	}
	own := len(cfg.Actions)
	for _, f := range files {
		if f.Path == stdinName {
			f.CUE = yaml.Unmarshal(f.Data, new(any)) != nil && begin("standard input") == "" && isCUE(f)
		}
		// A file that cannot be parsed has a diagnostic as a configuration.
		if f.CUE && begin("kind of "+f.Path) == "" && isAction(f) {
			cfg.Actions[f.Path] = f.Data
		} else {
			cfg.Config.List = append(cfg.Config.List, f)
		}
	}
	n := len(cfg.Actions) - own
	if n > 0 {
		cfg.Config.Path = "" // there need not be triggers
	}
	return n
}

// isCUE reports whether f has the syntax of CUE.
func isCUE(f config.File) bool {
	_, err := expr.ParseSyntax(f.Path, string(f.Data))
	return err == nil
}

// isAction reports whether f, a file in CUE, is an action.
func isAction(f config.File) bool {
	file, err := expr.ParseSyntax(f.Path, string(f.Data))
	return err == nil && !slices.ContainsFunc(file.Decls, func(d ast.Decl) bool {
		field, ok := d.(*ast.Field)
		if !ok {
			return false
		}
		label, _, _ := ast.LabelName(field.Label)
		return label == "triggers" || label == "kind"
	})
}
