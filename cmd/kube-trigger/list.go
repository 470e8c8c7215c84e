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
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/pkg/catalog"
	"github.com/kubevela/kube-trigger/pkg/printable"
)

func listCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the sources and actions that triggers can use",
		Example: "  # List the actions.\n  kube-trigger list actions\n\n  # List the sources as JSON.\n  kube-trigger list sources -o json",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		listEntriesCommand("sources", "List the sources, without a cluster", catalog.Source, "  kube-trigger list sources"),
		listEntriesCommand("actions", "List the built-in actions and those of a directory or a cluster", catalog.Action,
			"  # List the built-in actions.\n  kube-trigger list actions\n\n  # List them together with own actions.\n  kube-trigger list actions --actions-dir actions\n\n"+
				"  # List them together with the actions and the workflow steps that a namespace of the cluster has.\n  kube-trigger list actions --cluster -n team-a"),
		listDefinitionsCommand(),
	)
	return cmd
}

// listEntriesCommand returns the command that lists the sources or the actions.
func listEntriesCommand(use, short, kind, example string) *cobra.Command {
	var o app.CatalogOptions
	out := output{format: outputTable}
	cmd := &cobra.Command{
		Use: use, Short: short, Example: example, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.open(cmd); err != nil {
				return err
			}
			all, err := app.Catalog(cmd.Context(), o, "")
			if err != nil {
				return err
			}
			entries := []catalog.Entry{}
			for _, e := range all {
				if e.Kind == kind {
					entries = append(entries, catalog.Entry{Kind: e.Kind, Type: e.Type, Description: e.Description, Problem: e.Problem})
				}
			}
			return out.entries(entries)
		},
	}
	if kind == catalog.Action {
		catalogFlags(cmd.Flags(), &o)
	}
	out.addFlag(cmd.Flags())
	return cmd
}

// entries prints sources or actions.
func (o output) entries(all []catalog.Entry) error {
	if o.format != outputTable {
		return o.document(all)
	}
	w := tabwriter.NewWriter(o.to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TYPE\tDESCRIPTION")
	for _, e := range all {
		text := e.Description
		if e.Problem != "" {
			first, _, _ := strings.Cut(e.Problem, "\n")
			text = "cannot be used: " + first
		}
		fmt.Fprintf(w, "%s\t%s\n", printable.Line(e.Type), printable.Line(text))
	}
	return w.Flush()
}

func listDefinitionsCommand() *cobra.Command {
	var (
		o         app.ClusterOptions
		namespace string
		out       = output{format: outputTable}
	)
	cmd := &cobra.Command{
		Use:     "definitions",
		Short:   "List the actions of a cluster: its Definitions of the type trigger-action",
		Example: "  # List the actions of all namespaces.\n  kube-trigger list definitions\n\n  # List those of one namespace.\n  kube-trigger list definitions -n team-a",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.open(cmd); err != nil {
				return err
			}
			all, err := app.ListDefinitions(cmd.Context(), o, namespace)
			if err != nil {
				return err
			}
			if out.format != outputTable {
				return out.document(all)
			}
			w := tabwriter.NewWriter(out.to, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAMESPACE\tTYPE\tVALID\tDESCRIPTION")
			for _, a := range all {
				text := a.Description
				if a.Message != "" {
					text = a.Message
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", printable.Line(a.Namespace), printable.Line(a.Type), printable.Line(a.Valid), printable.Line(text))
			}
			return w.Flush()
		},
	}
	clusterFlags(cmd.Flags(), &o)
	cmd.Flags().StringVarP(&namespace, "namespace", "n", "", "the namespace; defaults to all")
	out.addFlag(cmd.Flags())
	return cmd
}
