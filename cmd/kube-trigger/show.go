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
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/pkg/catalog"
	"github.com/kubevela/kube-trigger/pkg/printable"
)

func showCommand() *cobra.Command {
	var o app.CatalogOptions
	out := output{format: outputText, formats: []string{outputText, outputJSON, outputYAML}}
	cmd := &cobra.Command{
		Use:   "show ACTION|SOURCE",
		Short: "Show the parameters of an action or a source, with an example",
		Example: `  # Show an action.
  kube-trigger show bump-application-revision

  # Show the source of scheduled triggers, with the schema of its parameters, as JSON.
  kube-trigger show cronjob -o json

  # Show an action of a directory.
  kube-trigger show annotate --actions-dir actions

  # Show a workflow step of the cluster.
  kube-trigger show step/notification --cluster`,
		Args:              fileArgs(1, "name one action or source of `kube-trigger list actions` or `kube-trigger list sources`"),
		ValidArgsFunction: completeTypes(&o.ActionsDir, catalog.Source, catalog.Action),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.open(cmd); err != nil {
				return err
			}
			entries, err := app.Catalog(cmd.Context(), o, args[0])
			if err != nil {
				return err
			}
			if out.format != outputText {
				return out.document(entries[0])
			}
			return out.entry(entries[0])
		},
	}
	catalogFlags(cmd.Flags(), &o)
	out.addFlag(cmd.Flags())
	return cmd
}

// entry prints a source or an action for people.
func (o output) entry(e catalog.Entry) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n", e.Type, e.Kind)
	if e.Description != "" {
		fmt.Fprintf(&b, "\n%s\n", e.Description)
	}
	if e.Problem != "" {
		fmt.Fprintf(&b, "\nCannot be used: %s\n", strings.ReplaceAll(e.Problem, "\n", "\n  "))
		_, err := fmt.Fprint(o.to, printable.Text(b.String()))
		return err
	}
	if len(e.Parameters) > 0 {
		b.WriteString("\nParameters:\n")
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, p := range e.Parameters {
			value := ""
			if p.Required {
				value = "required"
			} else if p.Default != nil {
				text, err := json.Marshal(p.Default)
				if err != nil {
					return err
				}
				value = "default " + string(text)
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", printable.Line(p.Path), printable.Line(p.Type), printable.Line(value), printable.Line(p.Description))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if len(e.Results) > 0 {
		b.WriteString("\nResult:\n")
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, r := range e.Results {
			fmt.Fprintf(w, "  %s\t%s\n", printable.Line(r.Name), printable.Line(r.Description))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	example, err := yaml.Marshal(map[string]any{e.Kind: e.Example})
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, "\nExample:\n  %s\n", strings.ReplaceAll(strings.TrimSpace(string(example)), "\n", "\n  "))
	_, err = fmt.Fprint(o.to, printable.Text(b.String()))
	return err
}

// describeActionsCommand is the child process of list and show.
func describeActionsCommand() *cobra.Command {
	return childCommand(app.DescribeActionsCommand, "Describe the actions of a directory or a cluster for list and show", func(_ context.Context, in io.Reader, out io.Writer) error { return app.DescribeActions(in, out) })
}
