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
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/pkg/diag"
)

func completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print the script that has a shell complete commands, flags and names",
		Long: `Print the script that has a shell complete commands, flags, and the names of sources and actions.

As a plugin, kubectl completes the same if an executable called kubectl_complete-trigger is on the PATH
that has this text:

  #!/bin/sh
  exec kubectl-trigger __complete "$@"`,
		Example: `  # bash, with the package bash-completion: for this session.
  source <(kube-trigger completion bash)

  # zsh: for all sessions.
  kube-trigger completion zsh >"${fpath[1]}/_kube-trigger"

  # fish: for all sessions.
  kube-trigger completion fish >~/.config/fish/completions/kube-trigger.fish`,
		Args:      shellArg,
		ValidArgs: shells(),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, to := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(to, true)
			case "zsh":
				return root.GenZshCompletion(to)
			default:
				return root.GenFishCompletion(to, true)
			}
		},
	}
}

// shells are the shells with completion.
func shells() []string { return []string{"bash", "zsh", "fish"} }

// shellArg accepts one of the shells.
func shellArg(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return app.InvalidError{Err: errors.New("name one shell: bash, zsh or fish")}
	}
	if !slices.Contains(shells(), args[0]) {
		return app.InvalidError{Err: fmt.Errorf("unknown shell %q: must be bash, zsh or fish%s", args[0], diag.Suggest(args[0], shells()))}
	}
	return nil
}

// flagValues annotates flags with the values that they can have.
const flagValues = "values"

// completeValues completes the values of the flags of cmd and its subcommands.
func completeValues(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if values := f.Annotations[flagValues]; values != nil {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
		}
	})
	for _, c := range cmd.Commands() {
		completeValues(c)
	}
}

// completeTypes completes the type of a source or an action, of one of the kinds, with its
// description.
func completeTypes(actionsDir *string, kinds ...string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all, err := app.Catalog(cmd.Context(), app.CatalogOptions{ActionsDir: *actionsDir}, "")
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var out []cobra.Completion
		for _, e := range all {
			if slices.Contains(kinds, e.Kind) {
				out = append(out, cobra.CompletionWithDesc(e.Type, e.Description))
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}
