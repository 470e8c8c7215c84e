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
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/pkg/config"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/printable"
)

// Values of --output of vet, besides outputJSON and outputYAML.
const (
	outputText = "text"
	outputLine = "line"
)

func vetCommand() *cobra.Command {
	var (
		o       app.ValidateOptions
		verbose bool
		out     = output{format: outputText, formats: []string{outputText, outputLine, outputJSON, outputYAML}}
	)
	cmd := &cobra.Command{
		Use:   "vet -f FILE|DIR|-",
		Short: "Check triggers and actions, without a cluster",
		Long: `Check triggers and actions, without a cluster: configurations, TriggerServices, Definitions, and
actions in CUE. All that the controller's webhook checks is checked. Each problem has its place:
FILE:LINE:COLUMN. A CUE file with neither "triggers" nor "kind" is an action. All files together
are one configuration.`,
		Example: `  # Check all files of a directory.
  kube-trigger vet -f triggers/

  # Check what another program writes, with one line for each problem.
  kustomize build . | kube-trigger vet -f - -o line

  # Say which triggers are evaluated by CUE, which takes longer, and why.
  kube-trigger vet -f config.yaml -v`,
		Args: vetArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.open(cmd); err != nil {
				return err
			}
			o.Stdin = cmd.InOrStdin()
			v, err := app.Vet(cmd.Context(), o)
			return printVet(cmd, out, v, err, verbose)
		},
	}
	f := cmd.Flags()
	f.StringArrayVarP(&o.Files, "file", "f", nil, "a file, a directory of .yaml, .yml, .json and .cue files, or - for standard input; repeatable")
	actionsDirFlag(f, &o.ActionsDir)
	checkFlags(f, &o, &verbose)
	out.addFlag(f)
	return cmd
}

// vetArgs returns an error if there are arguments: files are named with --file.
func vetArgs(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return app.InvalidError{Err: fmt.Errorf("unexpected argument %q; name files with --file: vet -f %s", args[0], args[0])}
}

// finding is the output format of a diagnostic.
type finding struct {
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Severity string `json:"severity"`
	Message  string `json:"message"`

	diagnostic diag.FileDiagnostic
}

// Severities of findings.
const (
	severityError   = "error"
	severityWarning = "warning"
	severityInfo    = "info"
)

// findings are the output format of what vet finds.
type findings []finding

func (l *findings) add(severity string, diagnostics ...diag.FileDiagnostic) {
	for _, d := range diagnostics {
		message := d.Message
		if d.Path != "" {
			message = d.Path + ": " + message
		}
		*l = append(*l, finding{File: d.File, Line: d.Line, Column: d.Column, Severity: severity, Message: message, diagnostic: d})
	}
}

// printVet prints what Vet returns: findings to stderr and what is valid to stdout or, as JSON or
// YAML, all findings to stdout.
func printVet(c *cobra.Command, out output, v app.Validation, err error, verbose bool) error {
	list := findings{}
	var problems diag.FileDiagnostics
	if err != nil && !errors.As(err, &problems) {
		return err
	}
	list.add(severityError, problems...)
	list.add(severityWarning, v.Warnings...)
	if verbose {
		for _, r := range v.Reports {
			list.add(severityInfo, describeTrigger(r))
		}
		list.add(severityInfo, v.ByCUE...)
		list.add(severityInfo, v.Rights...)
		list.add(severityInfo, v.Others...)
	}
	slices.SortStableFunc(list, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	if out.format == outputJSON || out.format == outputYAML {
		return errors.Join(out.document(list), reported(err))
	}
	for _, f := range list {
		text := f.text()
		if out.format == outputText && f.Severity != severityInfo {
			text += excerpt(v.Files, f.diagnostic)
		}
		to := c.ErrOrStderr()
		if f.Severity == severityInfo {
			to = c.OutOrStdout()
		}
		if _, err := fmt.Fprint(to, printable.Text(text)); err != nil {
			return err
		}
	}
	if err != nil {
		return reported(err)
	}
	return printValidation(c.OutOrStdout(), v, false)
}

// text returns "FILE:LINE:COLUMN: MESSAGE" as a line. Warnings and what is only said are marked so.
func (f finding) text() string {
	d := f.diagnostic
	if f.Severity != severityError {
		d.Path, d.Message = "", f.Severity+": "+f.Message
	}
	return d.String() + "\n"
}

// describeTrigger returns what is known of a valid trigger.
func describeTrigger(r app.TriggerReport) diag.FileDiagnostic {
	form := "compiled"
	if !r.Compiled {
		form = "evaluated by CUE in part"
	}
	d := r.Place
	d.Path, d.Message = "", fmt.Sprintf("trigger %q: %s", r.Name, form)
	return d
}

// excerpt returns the line at which a diagnostic is.
func excerpt(files []config.File, d diag.FileDiagnostic) string {
	for _, f := range files {
		if f.Path == d.File {
			return d.Excerpt(string(f.Data))
		}
	}
	return ""
}
