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
	"fmt"

	"github.com/spf13/cobra"
)

func validateCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:     "validate -c FILE|DIR",
		Short:   "Check triggers as run does, without a cluster",
		Args:    noArgs,
		PreRunE: flagsFromEnv,
		RunE: func(cmd *cobra.Command, _ []string) error {
			in, err := o.read()
			if err != nil {
				return err
			}
			triggers, err := in.check(cmd.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d triggers are valid\n", triggers)
			return err
		},
	}
	o.configFlags(cmd.Flags())
	return cmd
}
