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
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/pkg/dataflow"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/printable"
)

// graphFormats are the values of --output of graph.
func graphFormats() []string { return []string{"text", "dot", "svg", "json"} }

func graphCommand() *cobra.Command {
	var (
		o      app.GraphOptions
		format string
	)
	cmd := &cobra.Command{
		Use:   "graph {-f FILE|DIR | --cluster}",
		Short: "Show which triggers feed which, from what they read and write",
		Long: `Show which triggers feed which: what the sources watch, what the actions write, and which triggers that may wake.

The objects that a trigger reads and writes are derived from its source, and from what its actions' templates do for
sample events.
Circles of triggers are listed. With --cluster, the TriggerServices of a cluster are read with your rights; otherwise
no cluster is needed.`,
		Example: `  kube-trigger graph -f triggers/
  kube-trigger graph -f triggers.yaml -o svg > triggers.svg
  kube-trigger graph --cluster -n team-a -o dot | dot -Tpng > triggers.png`,
		Args:    noArgs,
		PreRunE: flagsFromEnv,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(graphFormats(), format) {
				return app.InvalidError{Err: fmt.Errorf("--output %q: must be text, dot, svg or json%s", format, diag.Suggest(format, graphFormats()))}
			}
			if o.FromCluster && !cmd.Flags().Changed("namespace") {
				o.Namespace = ""
			}
			g, err := app.Graph(cmd.Context(), o)
			if err != nil {
				return err
			}
			return printGraph(cmd, g, format)
		},
	}
	dataflowFlags(cmd.Flags(), &o.DataflowOptions)
	clusterFlags(cmd.Flags(), &o.Cluster)
	cmd.Flags().BoolVar(&o.FromCluster, "cluster", false, "read the TriggerServices of the cluster, in all namespaces or in --namespace")
	cmd.Flags().StringVarP(&format, "output", "o", "text", "text, dot, svg or json")
	withoutEnv(cmd.Flags(), "cluster", "output")
	return cmd
}

func printGraph(cmd *cobra.Command, g dataflow.Graph, format string) error {
	if format == "json" {
		return output{to: cmd.OutOrStdout(), format: outputJSON}.document(g)
	}
	for _, text := range g.Unknown {
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s\n", printable.Line(text)); err != nil {
			return err
		}
	}
	text := map[string]func() string{"text": g.Lines, "dot": g.Dot, "svg": g.SVG}[format]()
	_, err := io.WriteString(cmd.OutOrStdout(), printable.Text(text))
	return err
}
