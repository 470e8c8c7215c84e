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
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/kubevela/kube-trigger/pkg/config"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
)

// CheckConfigCommand is the hidden subcommand that has to call CheckConfig. Run and
// Validate start their own executable with it.
const CheckConfigCommand = "check-config"

// ValidateOptions configure Validate and Vet.
type ValidateOptions struct {
	// Config and ActionsDir are as in RunOptions.
	Config, ActionsDir string
	// Files are what Vet checks instead of Config: files and directories with triggers, actions
	// and Definitions. StdinPath is Stdin.
	Files []string
	Stdin io.Reader
	// Schemas are files, or directories of files, with CustomResourceDefinitions or documents of
	// OpenAPI v3. They have the types of kinds that are not built in, or are newer.
	Schemas []string
	// Strict makes fields and kinds that no schema has problems.
	Strict bool
}

// Validate checks a configuration without an API server.
// It returns an InvalidError with all problems unless all triggers and actions are valid.
func Validate(ctx context.Context, o ValidateOptions) (Validation, error) {
	cfg, err := readConfig(o.Config, o.ActionsDir)
	if err != nil {
		return Validation{}, err
	}
	return cfg.validate(ctx, o)
}

// validate checks the configuration of Validate or Vet.
func (cfg configuration) validate(ctx context.Context, o ValidateOptions) (Validation, error) {
	cfg.Dataflow, cfg.Cycles = true, true
	cfg.Checks.Strict = o.Strict
	for _, path := range o.Schemas {
		cfg.Schemas = append(cfg.Schemas, config.Read(path))
	}
	result, err := cfg.check(ctx)
	result.Files = cfg.Config.List
	for path, data := range cfg.Actions {
		result.Files = append(result.Files, config.File{Path: path, Data: data})
	}
	return result.Validation, err
}

// Validation is the result of Validate.
type Validation struct {
	// Triggers is the number of triggers, Definitions that of actions.
	Triggers, Definitions int
	// Warnings are about what is valid, and probably not meant.
	Warnings diag.FileDiagnostics
	// ByCUE is what of the filters and actions CUE evaluates, because it is not compiled.
	ByCUE diag.FileDiagnostics
	// Others are the objects of other kinds, which are passed over.
	Others diag.FileDiagnostics
	// Rights are those that each trigger needs.
	Rights diag.FileDiagnostics
	// Reports has one report for each valid trigger.
	Reports []TriggerReport
	// Files are the files that were checked.
	Files []config.File `json:"-"`
}

// TriggerReport is what is known of a trigger that is valid.
type TriggerReport struct {
	Name string
	// Place is where it begins.
	Place diag.FileDiagnostic
	// Compiled means that its filters and actions are compiled: CUE evaluates none of them.
	Compiled bool
}

// CheckConfig checks the configuration that a parent process writes to in, and
// reports to out.
func CheckConfig(in io.Reader, out io.Writer) error {
	return sandbox.Serve(in, out, func(cfg configuration, steps *sandbox.Steps) (checkResult, error) {
		compiled, err := cfg.compile(clients{namespace: cfg.Namespace}, steps.Begin)
		result := checkResult{
			Flows:       cfg.flows(compiled, steps.Begin),
			Validation:  Validation{Triggers: len(compiled.rules), Definitions: compiled.actions, Warnings: compiled.warnings, ByCUE: compiled.byCUE, Others: compiled.others, Reports: compiled.reports()},
			Diagnostics: compiled.diagnostics,
		}
		result.Rights = triggerRights(result.Flows)
		return result, err
	})
}

// checkResult is the result of checking a configuration.
type checkResult struct {
	Validation
	Diagnostics diag.FileDiagnostics
	Flows       []TriggerFlow
}

// minShardBytes is the size of a configuration whose triggers several children check: with fewer
// triggers, it takes more time to start another one.
const minShardBytes = 6 << 10

// shards returns how many children check the triggers at once.
func (cfg configuration) shards() int {
	size := 0
	for _, f := range cfg.Config.List {
		size += len(f.Data)
	}
	if size < minShardBytes {
		return 1
	}
	return min(2, runtime.GOMAXPROCS(0)) // each needs the memory of a child
}

// check returns the number of triggers and the warnings, or all problems as an
// InvalidError. CUE can exhaust memory or run forever, so it is evaluated in limited
// child processes first.
func (cfg configuration) check(ctx context.Context) (checkResult, error) {
	return cfg.checkIn(ctx, cfg.shards())
}

// checkIn is check with a number of children.
func (cfg configuration) checkIn(ctx context.Context, shards int) (checkResult, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	results, children := make([]checkResult, shards), sync.WaitGroup{}
	for i := range results {
		shard := cfg
		shard.Shard, shard.Shards = i, shards
		children.Go(func() {
			if err := inChild(ctx, CheckConfigCommand, shard, &results[i]); err != nil {
				cancel(err)
			}
		})
	}
	children.Wait()
	if err := context.Cause(ctx); err != nil {
		return checkResult{}, err
	}
	result := results[0]
	for _, r := range results[1:] {
		result.add(r)
	}
	if cfg.Cycles {
		result.addCycles()
	}
	if len(result.Diagnostics) > 0 {
		return result, InvalidError{result.Diagnostics}
	}
	return result, nil
}

// add adds the result for the triggers that follow those of r. What is told of all files is in both.
func (r *checkResult) add(next checkResult) {
	r.Triggers += next.Triggers
	r.Warnings, r.ByCUE = append(r.Warnings, next.Warnings...), append(r.ByCUE, next.ByCUE...)
	r.Reports, r.Rights, r.Flows = append(r.Reports, next.Reports...), append(r.Rights, next.Rights...), append(r.Flows, next.Flows...)
	for _, d := range next.Diagnostics {
		if !slices.Contains(r.Diagnostics, d) {
			r.Diagnostics = append(r.Diagnostics, d)
		}
	}
	r.Diagnostics.Sort()
	r.Warnings.Sort()
	r.ByCUE.Sort()
}

// inChild has a limited child process, which runs a hidden subcommand of the program, handle a
// request, and stores its result in result.
func inChild(ctx context.Context, command string, request, result any) error {
	child, err := newChild(command)
	if err != nil {
		return err
	}
	return child.Run(ctx, "", request, result)
}

// newChild returns the Child of a hidden subcommand of the program.
func newChild(command string) (*sandbox.Child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find executable: %w", err)
	}
	return sandbox.NewChild(1, sandbox.Limits{Total: time.Hour}, program, command), nil
}
