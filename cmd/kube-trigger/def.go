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

	"github.com/spf13/cobra"

	"github.com/kubevela/kube-trigger/pkg/app"
)

func defCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "def",
		Short: "Render and check Definitions of actions, without a cluster",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(defRenderCommand(), defVetCommand())
	return cmd
}

func defRenderCommand() *cobra.Command {
	var namespace string
	cmd := &cobra.Command{
		Use:   "render ACTION.cue",
		Short: "Print the Definition of an action as YAML",
		Args:  fileArgs(1, "name one CUE file of an action"),
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
		Short: "Check actions: CUE files, each an action, and Definitions in YAML",
		Args:  fileArgs(-1, "name the CUE and YAML files to check"),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := app.VetDefinitions(cmd.Context(), args)
			if err != nil {
				return err
			}
			return printResult(cmd, v, false)
		},
	}
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
