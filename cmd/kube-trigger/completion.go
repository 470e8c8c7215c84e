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
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubevela/kube-trigger/pkg/app"
)

// completeTypes completes the type of a source or an action, of one of the kinds, with its
// description.
func completeTypes(actionsDir *string, kinds ...string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all, err := app.Catalog(cmd.Context(), *actionsDir, "")
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
