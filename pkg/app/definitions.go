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
	"fmt"
	"path/filepath"
	"strings"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/config"
	"github.com/kubevela/kube-trigger/pkg/diag"
)

// actionExtension is the extension of files with the source of an action.
const actionExtension = ".cue"

// RenderDefinition returns the YAML of the Definition of the action in a CUE file. The action
// is not checked.
func RenderDefinition(path, namespace string) ([]byte, error) {
	if filepath.Ext(path) != actionExtension {
		return nil, InvalidError{fmt.Errorf("%s: must be a file that ends in %s", path, actionExtension)}
	}
	files := config.Read(path)
	if len(files.Diagnostics) > 0 {
		return nil, InvalidError{files.Diagnostics}
	}
	source := string(files.List[0].Data)
	out, err := config.RenderDefinition(strings.TrimSuffix(filepath.Base(path), actionExtension), namespace, action.Description(source), source)
	if err != nil {
		return nil, InvalidError{fmt.Errorf("%s: %w", path, err)}
	}
	return out, nil
}

// VetDefinitions checks actions as Validate does: CUE files, each an action, and YAML files with
// Definitions. A path may be a directory of such files.
func VetDefinitions(ctx context.Context, paths []string) (Validation, error) {
	cfg := configuration{Actions: map[string][]byte{}}
	for _, path := range paths {
		files := config.Read(path)
		cfg.Config.Diagnostics = append(cfg.Config.Diagnostics, files.Diagnostics...)
		for _, f := range files.List {
			switch filepath.Ext(f.Path) {
			case actionExtension:
				cfg.Actions[f.Path] = f.Data
			case ".yaml", ".yml", ".json":
				cfg.Config.List = append(cfg.Config.List, f)
			default:
				cfg.Config.Diagnostics = append(cfg.Config.Diagnostics, diag.FileDiagnostic{File: f.Path, Message: "must end in .cue, .yaml, .yml or .json"})
			}
		}
	}
	result, err := cfg.validate(ctx)
	result.Definitions += len(cfg.Actions)
	return result, err
}
