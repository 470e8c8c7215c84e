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
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/kubevela/kube-trigger/pkg/dataflow"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/rights"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// DataflowOptions select the triggers of RBAC and Graph.
type DataflowOptions struct {
	// Config and ActionsDir are as in RunOptions.
	Config, ActionsDir string
	// Namespace is that of triggers without one. Defaults to "default".
	Namespace string
	// Schemas are files and directories with CustomResourceDefinitions.
	Schemas []string
}

// TriggerFlow is what a trigger of a configuration reads and writes.
type TriggerFlow struct {
	dataflow.Flow
	// Account is the ServiceAccount of the trigger.
	Account string
	// Place is where the trigger begins.
	Place diag.FileDiagnostic
}

// flows returns what the valid triggers read and write, if cfg asks for it.
func (cfg configuration) flows(c compiledConfiguration, begin func(step string) (reason string)) []TriggerFlow {
	if !cfg.Dataflow {
		return nil
	}
	out := make([]TriggerFlow, 0, len(c.rules))
	for _, r := range c.rules {
		if len(r.Problems) > 0 {
			continue
		}
		f := TriggerFlow{Account: trigger.Account(r.service), Place: r.place}
		if reason := begin("objects of trigger " + r.Name); reason != "" {
			f.Flow = dataflow.Flow{Trigger: r.TriggerRef, Unknown: []string{fmt.Sprintf("trigger %s: %s", r.Name, reason)}}
		} else {
			f.Flow = dataflow.Of(r.Compiled, r.spec, trigger.ApplicationOf(r.service), cfg.Names)
		}
		out = append(out, f)
	}
	return out
}

// deriveFlows returns what the triggers of a configuration read and write, and the names of
// resources. It evaluates CUE in a limited child process.
func (o DataflowOptions) deriveFlows(ctx context.Context) ([]TriggerFlow, rights.Names, error) {
	if o.Config == "" {
		return nil, nil, InvalidError{errors.New("no configuration; name a file or directory with --file (-f)")}
	}
	cfg, err := readConfig(o.Config, o.ActionsDir)
	if err != nil {
		return nil, nil, err
	}
	cfg.Namespace, cfg.Dataflow = o.Namespace, true
	if cfg.Names, err = readNames(o.Schemas); err != nil {
		return nil, nil, err
	}
	result, err := cfg.check(ctx)
	return result.Flows, cfg.Names, err
}

// readNames reads the CustomResourceDefinitions in files and directories.
func readNames(paths []string) (rights.Names, error) {
	var out rights.Names
	for _, path := range paths {
		err := filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || file != path && !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(file)) {
				return err
			}
			data, err := os.ReadFile(file) //nolint:gosec // the user names it
			if err != nil {
				return err
			}
			names, err := rights.ReadNames(data)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			out = append(out, names...)
			return nil
		})
		if err != nil {
			return nil, InvalidError{fmt.Errorf("--schemas: %w", err)}
		}
	}
	return out, nil
}

// addCycles adds the circles of triggers that none of them allows: as problems if they are certain,
// and as warnings if they may be.
func (r *checkResult) addCycles() {
	var flows []dataflow.Flow
	for _, f := range r.Flows {
		flows = append(flows, f.Flow)
	}
	for _, c := range dataflow.New(flows).Cycles {
		i := slices.IndexFunc(r.Flows, func(f TriggerFlow) bool { return f.Trigger.String() == c.Triggers[0] })
		d := r.Flows[i].Place
		d.Message = c.Text()
		switch {
		case c.Allowed:
		case c.Certain:
			r.Diagnostics = append(r.Diagnostics, d)
		default:
			r.Warnings = append(r.Warnings, d)
		}
	}
	r.Diagnostics.Sort()
	r.Warnings.Sort()
}

// triggerRights returns the rights that each trigger needs, and what is not known of them.
func triggerRights(flows []TriggerFlow) diag.FileDiagnostics {
	var out diag.FileDiagnostics
	for _, f := range flows {
		add := func(text string) {
			d := f.Place
			d.Message = text
			out = append(out, d)
		}
		for _, r := range f.Flow.Rights() {
			add("needs the right to " + r.Text())
		}
		for _, text := range f.Unknown {
			add(text)
		}
	}
	return out
}
