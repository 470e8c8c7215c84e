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
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/pkg/catalog"
	"github.com/kubevela/kube-trigger/pkg/diag"
)

func schemaCommand() *cobra.Command {
	var actionsDir string
	cmd := &cobra.Command{
		Use:   "schema [config|triggerservice]",
		Short: "Print the JSON Schema of configurations or TriggerServices, for editors",
		Long: `Print the JSON Schema (2020-12) of configurations or TriggerServices, with the properties of each source
and action, so that editors complete and check them. Without an argument it is that of configurations,
which may be TriggerServices, too.`,
		Example: `  # Have editors with the YAML language server use it: write the schema,
  kube-trigger schema >kube-trigger.json

  # and begin each configuration with
  #   # yaml-language-server: $schema=kube-trigger.json

  # Add the actions of a directory.
  kube-trigger schema triggerservice --actions-dir actions`,
		ValidArgs: schemaForms(),
		Args:      formArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			form := catalog.ConfigForm
			if len(args) > 0 {
				form = args[0]
			}
			entries, err := app.Catalog(cmd.Context(), app.CatalogOptions{ActionsDir: actionsDir}, "")
			if err != nil {
				return err
			}
			schema, err := catalog.JSONSchema(form, entries)
			if err != nil {
				return err
			}
			return output{to: cmd.OutOrStdout(), format: outputJSON}.document(schema)
		},
	}
	actionsDirFlag(cmd.Flags(), &actionsDir)
	return cmd
}

func schemaForms() []string { return []string{catalog.ConfigForm, catalog.TriggerServiceForm} }

// formArg accepts a form of documents, or nothing.
func formArg(_ *cobra.Command, args []string) error {
	if len(args) == 0 || len(args) == 1 && slices.Contains(schemaForms(), args[0]) {
		return nil
	}
	return app.InvalidError{Err: fmt.Errorf("unknown form %q: must be %s%s", args[0], alternatives(schemaForms()), diag.Suggest(args[0], schemaForms()))}
}
