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
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/config"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// configuration is what a user wrote, read once: what is checked is what runs.
type configuration struct {
	Config config.Files
	// Actions are the files of ActionsDir, by name, and Problems those of reading
	// them.
	ActionsDir string
	Actions    map[string][]byte
	Problems   diag.List
}

// read reads the configuration and --actions-dir.
func (o *options) read() (configuration, error) {
	if o.Config == "" {
		return configuration{}, invalid{errors.New("no configuration; name a file or directory with --config (-c) or $CONFIG")}
	}
	in := configuration{Config: config.Read(o.Config), ActionsDir: o.ActionsDir}
	if o.ActionsDir == "" {
		return in, nil
	}
	if _, err := os.Stat(o.ActionsDir); err != nil {
		in.Problems.Add("", "no such directory")
	}
	sources, problems := trigger.ReadTemplates(os.DirFS(o.ActionsDir))
	in.Actions, in.Problems = sources, append(in.Problems, problems...)
	return in, nil
}

// checkResult is what a check comes to.
type checkResult struct {
	Triggers int
	Problems config.FileDiagnostics
}

// check returns how many valid triggers in holds, or all that is wrong. CUE can
// use up all memory or never end; so it is not evaluated in this process before
// another one, with limits, has done it.
func (in configuration) check(ctx context.Context) (int, error) {
	program, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("find this program: %w", err)
	}
	var v checkResult
	if err := sandbox.RunSteps(ctx, sandbox.MaxTime, in, &v, program, checkConfigCommand().Name()); err != nil {
		return 0, err
	}
	if len(v.Problems) > 0 {
		return 0, invalid{v.Problems}
	}
	return v.Triggers, nil
}

// checkConfigCommand is what check runs.
func checkConfigCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check-config", Short: "Check a configuration for run and validate",
		Hidden: true, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sandbox.ServeSteps(cmd.InOrStdin(), cmd.OutOrStdout(), func(in configuration, s *sandbox.Steps) (checkResult, error) {
				triggers, problems, err := in.compile(clients{}, s.Begin)
				return checkResult{Triggers: len(triggers), Problems: problems}, err
			})
		},
	}
}

// compile checks the triggers, and makes of them what runs. Without a cluster
// they cannot run. Before anything is evaluated that can need too much, begin is
// asked; it returns the reason where it does.
func (in configuration) compile(c clients, begin func(step string) (reason string)) ([]engine.Trigger, config.FileDiagnostics, error) {
	if c.namespace == "" {
		c.namespace = "default"
	}
	templates, err := trigger.BuiltIn(actions.FS)
	if err != nil {
		return nil, nil, err
	}
	// In the place of built-in actions go those of the user.
	own, problems := trigger.ParseTemplates(in.Actions, func(file string) string { return begin("action " + file) })
	maps.Copy(templates, own)
	diagnostics := in.diagnose(append(problems, in.Problems...))
	compiler := trigger.Compiler{Sources: c.sources(), Actions: templates, Executor: c.executor}
	loaded, more := in.Config.Load(c.namespace, func(path string) string { return begin("configuration " + path) })
	diagnostics = append(diagnostics, more...)
	var triggers []engine.Trigger
	for i, t := range loaded {
		compiler.Reject = func(part string) string {
			reason := begin(fmt.Sprintf("%s of trigger %d", part, i))
			if reason != "" {
				reason = fmt.Sprintf("trigger %q: %s", t.ID.Name, reason)
			}
			return reason
		}
		compiled, problems := compiler.Compile(t.ID, t.Spec)
		diagnostics = append(diagnostics, t.Locate(problems)...)
		compiled.LoopDetector, compiled.CrashTracker = c.loopDetector(t.ID), c.crashTracker(t.ID, t.Spec.Filter)
		triggers = append(triggers, compiled)
	}
	diagnostics.Sort()
	return triggers, diagnostics, nil
}

// diagnose returns problems of the user's own actions at their places.
func (in configuration) diagnose(problems diag.List) config.FileDiagnostics {
	var diagnostics config.FileDiagnostics
	for _, p := range problems {
		file := in.ActionsDir
		if p.Path != "" {
			file = strings.TrimSuffix(in.ActionsDir, "/") + "/" + p.Path
		}
		diagnostics = append(diagnostics, config.FileDiagnostic{File: file, Line: p.Line, Column: p.Column, Message: p.Message})
	}
	return diagnostics
}
