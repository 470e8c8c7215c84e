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
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubevela/kube-trigger/pkg/app"
)

func validateCommand() *cobra.Command {
	var (
		options app.ValidateOptions
		verbose bool
	)
	cmd := &cobra.Command{
		Use:     "validate -c FILE|DIR",
		Short:   "Check triggers as run does, without a cluster: the former name of vet",
		Example: "  kube-trigger validate -c config.yaml",
		Args:    noArgs,
		PreRunE: flagsFromEnv,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := app.Validate(cmd.Context(), options)
			if err != nil {
				return err
			}
			return printResult(cmd, v, verbose)
		},
	}
	configFlags(cmd.Flags(), &options.Config, &options.ActionsDir)
	checkFlags(cmd.Flags(), &options, &verbose)
	return cmd
}

// checkFlags adds the flags of what is checked, and of what is said of it.
func checkFlags(f *pflag.FlagSet, o *app.ValidateOptions, verbose *bool) {
	f.StringArrayVar(&o.Schemas, "schemas", nil, "a file, or a directory of files, with CustomResourceDefinitions, or documents of OpenAPI v3 as kubectl get --raw /openapi/v3/apis/GROUP/VERSION prints them; repeatable")
	f.BoolVar(&o.Strict, "strict", false, "make fields and kinds that no schema has errors, not warnings")
	f.BoolVarP(verbose, "verbose", "v", false, "also say which objects of other kinds are passed over, which filters and actions CUE evaluates, which takes longer than those that are compiled, and why, and which rights each trigger needs")
}

// printResult prints the warnings, and what is valid.
func printResult(cmd *cobra.Command, v app.Validation, verbose bool) error {
	for _, w := range v.Warnings {
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s\n", w); err != nil {
			return err
		}
	}
	return printValidation(cmd.OutOrStdout(), v, verbose)
}

// printValidation prints what is valid and, if it is verbose, what CUE evaluates.
func printValidation(w io.Writer, v app.Validation, verbose bool) error {
	var out strings.Builder
	if verbose {
		for _, d := range v.Others {
			fmt.Fprintf(&out, "%s\n", d)
		}
		for _, d := range v.ByCUE {
			fmt.Fprintf(&out, "%s\n", d)
		}
		if len(v.ByCUE) == 0 {
			out.WriteString("all filters and actions are compiled\n")
		}
		for _, d := range v.Rights {
			fmt.Fprintf(&out, "%s\n", d)
		}
	}
	if v.Triggers+v.Definitions == 0 && len(v.Others) > 0 {
		out.WriteString("nothing to check: no triggers and no actions, only objects of other kinds\n")
	}
	out.WriteString(count(v.Triggers, "trigger") + count(v.Definitions, "action"))
	_, err := io.WriteString(w, out.String())
	return err
}

// count returns the line that n things are valid; nothing if there are none.
func count(n int, thing string) string {
	switch n {
	case 0:
		return ""
	case 1:
		return plural(n, thing) + " is valid\n"
	}
	return plural(n, thing) + " are valid\n"
}

// checkConfigCommand is the child process of run and validate.
func checkConfigCommand() *cobra.Command {
	return childCommand(app.CheckConfigCommand, "Check a configuration for run and validate", func(_ context.Context, in io.Reader, out io.Writer) error { return app.CheckConfig(in, out) })
}
