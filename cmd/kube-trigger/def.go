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

	"github.com/spf13/cobra"

	"github.com/kubevela/kube-trigger/pkg/app"
)

func defCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "def",
		Short: "Check, render and apply actions in CUE as Definitions",
		Example: `  # Check, render and apply an action.
  kube-trigger def vet annotate.cue
  kube-trigger def render annotate.cue
  kube-trigger def apply annotate.cue -n team-a`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(defVetCommand(), defRenderCommand(), defApplyCommand())
	return cmd
}

func defRenderCommand() *cobra.Command {
	var namespace string
	cmd := &cobra.Command{
		Use:   "render ACTION.cue",
		Short: "Print the Definition of an action as YAML, without a cluster",
		Example: `  # Apply the Definition with kubectl.
  kube-trigger def render annotate.cue -n team-a | kubectl apply -f -`,
		Args: fileArgs(1, "name one CUE file of an action"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := app.RenderDefinition(args[0], namespace)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	cmd.Flags().StringVarP(&namespace, "namespace", "n", "", "the namespace of the Definition")
	return cmd
}

func defVetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "vet FILE|DIR...",
		Short: "Check actions, without a cluster: CUE files, each an action, and Definitions in YAML",
		Example: `  # Check the actions of a directory.
  kube-trigger def vet actions/`,
		Args: fileArgs(-1, "name the CUE and YAML files to check"),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := app.VetDefinitions(cmd.Context(), args)
			if err != nil {
				return err
			}
			return printResult(cmd, v, false)
		},
	}
}

func defApplyCommand() *cobra.Command {
	var o app.ApplyOptions
	cmd := &cobra.Command{
		Use:   "apply ACTION.cue...",
		Short: "Check actions in CUE, and apply their Definitions to a cluster",
		Long: `Check actions in CUE, and apply their Definitions to a cluster: server-side, with the field manager
kube-trigger. If one of the actions is invalid, none is applied.`,
		Example: `  # Apply an action to the namespace of the kubeconfig.
  kube-trigger def apply annotate.cue

  # See whether the API server would accept it in another one.
  kube-trigger def apply annotate.cue -n team-a --dry-run`,
		Args: fileArgs(-1, "name the CUE files to apply"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Files = args
			return app.ApplyDefinitions(cmd.Context(), o, func(a app.Applied) error {
				if o.DryRun {
					a.Result += " (dry run)"
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "definition %s/%s %s\n", a.Namespace, a.Name, a.Result)
				return err
			})
		},
	}
	clusterFlags(cmd.Flags(), &o.ClusterOptions)
	f := cmd.Flags()
	f.StringVarP(&o.Namespace, "namespace", "n", "", "the namespace of the Definitions; defaults to that of the kubeconfig")
	f.BoolVar(&o.DryRun, "dry-run", false, "have the API server check the Definitions, and not store them")
	f.BoolVar(&o.ForceConflicts, "force-conflicts", false, "take over fields that another field manager, such as kubectl, has set")
	return cmd
}

// fileArgs accepts n arguments, or any number but none if n is negative. Otherwise the error is
// message.
func fileArgs(n int, message string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 || n >= 0 && len(args) != n {
			return app.InvalidError{Err: errors.New(message)}
		}
		return nil
	}
}
