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
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/pkg/printable"
)

func getCommand() *cobra.Command {
	var o app.OverviewOptions
	out := output{format: outputTable}
	cmd := &cobra.Command{
		Use:   "get [SERVICE]",
		Short: "Show TriggerServices and the state of their triggers",
		Long: `Show TriggerServices and the state of their triggers: reason, last action, lag, failures and dead letters.

The lag comes from the metrics of the worker, by a port-forward with your own rights; without them it is not shown.`,
		Example: `  kube-trigger get -n team-a
  kube-trigger get web -n team-a -o yaml`,
		PreRunE: flagsFromEnv,
		Args:    serviceArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.open(cmd); err != nil {
				return err
			}
			if len(args) > 0 {
				o.Service = args[0]
			}
			o.Store = app.StoreAuto
			overviewer, err := app.NewOverviewer(o)
			if err != nil {
				return err
			}
			overview, err := overviewer.Read(cmd.Context())
			if err != nil {
				return err
			}
			if out.format != outputTable {
				return out.document(overview)
			}
			for _, w := range overview.Unreachable {
				fmt.Fprintf(cmd.ErrOrStderr(), "no metrics of worker %s: %s\n", printable.Line(w.Pod), printable.Line(w.Error))
			}
			return writeStates(out.to, overview)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.AllNamespaces, "all-namespaces", "A", false, "the TriggerServices of all namespaces")
	withoutEnv(f, "all-namespaces")
	namespaceFlag(f, &o.Namespace)
	clusterFlags(f, &o.ClusterOptions)
	out.addFlag(f)
	return cmd
}

// serviceArg accepts at most one argument: the name of a TriggerService.
func serviceArg(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return app.InvalidError{Err: fmt.Errorf("unexpected argument %q", args[1])}
	}
	return nil
}

// writeStates writes the states of triggers as a table.
func writeStates(to io.Writer, o app.Overview) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAMESPACE\tSERVICE\tTRIGGER\tSTATE\tREASON\tLAST ACTION\tLAG\tSUCCEEDED\tFAILED\tDEAD LETTERS")
	for _, t := range o.Triggers {
		last := "never"
		if t.LastAction != nil {
			last = o.Time.Sub(*t.LastAction).Round(time.Second).String() + " ago"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\n", printable.Line(t.Namespace), printable.Line(t.Service), printable.Line(t.Name),
			printable.Line(string(t.State)), printable.Line(t.Reason), last, lagOf(t), t.Succeeded, t.Failed, t.DeadLetters)
	}
	return w.Flush()
}

// lagOf returns the lag of a trigger, or "?" if it is not known.
func lagOf(t app.TriggerOverview) string {
	if t.Metrics == nil {
		return "?"
	}
	return time.Duration(t.Metrics.Lag * float64(time.Second)).Round(time.Second).String()
}
