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
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/pkg/explain"
	"github.com/kubevela/kube-trigger/pkg/printable"
)

// maxExplained is the number of events of a trigger that the table has.
const maxExplained = 10

func explainCommand() *cobra.Command {
	var o app.ExplainOptions
	out := output{format: outputTable, now: time.Now()}
	cmd := &cobra.Command{
		Use:   "explain SERVICE [TRIGGER]",
		Short: "Say why triggers acted lately, or did not",
		Long: `Say why the triggers of a TriggerService acted lately, or did not, and what is wrong now.

The decisions come from the worker, by a port-forward to each of its pods; objects are read with your own rights. With
--config or --store, the process that runs the configuration on this machine is asked, and SERVICE is left out.`,
		Example: `  # What became of the last events of each trigger?
  kube-trigger explain web -n team-a
  # Why did this trigger not act on this ConfigMap?
  kube-trigger explain web deploy --object configmap/settings -n team-a
  # The same for kube-trigger run -c config.yaml
  kube-trigger explain -c config.yaml deploy`,
		PreRunE: flagsFromEnv,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.open(cmd); err != nil {
				return err
			}
			local := o.Config != "" || o.Store != app.StoreAuto
			if err := explainArgs(&o, local, args); err != nil {
				return err
			}
			explanation, err := app.Explain(cmd.Context(), o)
			if err != nil {
				return err
			}
			if out.format != outputTable {
				return out.document(explanation)
			}
			return out.explanation(explanation)
		},
	}
	f := cmd.Flags()
	configFlags(f, &o.Config, &o.ActionsDir)
	f.StringVar(&o.Store, "store", app.StoreAuto, "the store of the process to ask, instead of the one of --config")
	f.StringVar(&o.Object, "object", "", "only events of this object: KIND/NAME, or KIND/NAMESPACE/NAME")
	namespaceFlag(f, &o.Namespace)
	clusterFlags(f, &o.ClusterOptions)
	out.addFlag(f)
	return cmd
}

// explainArgs sets SERVICE and TRIGGER. Those of a local process have no SERVICE.
func explainArgs(o *app.ExplainOptions, local bool, args []string) error {
	if !local {
		if len(args) == 0 {
			return app.InvalidError{Err: errors.New("name a TriggerService, or a configuration with --config (-c)")}
		}
		o.Service, args = args[0], args[1:]
	}
	if len(args) > 0 {
		o.Trigger, args = args[0], args[1:]
	}
	if len(args) > 0 {
		return app.InvalidError{Err: fmt.Errorf("unexpected argument %q", args[0])}
	}
	return nil
}

// explanation prints an explanation for people.
func (o output) explanation(e app.Explanation) error {
	var b strings.Builder
	if e.TriggerService != "" {
		fmt.Fprintf(&b, "TriggerService %s\n", printable.Line(e.TriggerService))
	}
	for _, p := range e.Problems {
		printFinding(&b, "  ", p)
	}
	for _, w := range e.Workers {
		switch {
		case w.Pod == "":
			fmt.Fprintf(&b, "  workers not asked: %s\n", printable.Line(w.Error))
		case w.Error != "":
			fmt.Fprintf(&b, "  worker %s gave no answer: %s\n", printable.Line(w.Pod), printable.Line(w.Error))
		}
	}
	for i, t := range e.Triggers {
		if i > 0 || b.Len() > 0 {
			b.WriteByte('\n')
		}
		o.explainTrigger(&b, t)
	}
	_, err := io.WriteString(o.to, b.String())
	return err
}

func (o output) explainTrigger(b *strings.Builder, t explain.Trigger) {
	fmt.Fprintf(b, "Trigger %s (%s): %s\n", printable.Line(t.Name), printable.Line(t.Source), printable.Line(string(t.State)))
	for _, p := range t.Problems {
		printFinding(b, "  ", p)
	}
	if len(t.IgnoredEvents) > 0 {
		fmt.Fprintf(b, "  asks for no %s events\n", strings.Join(t.IgnoredEvents, " or "))
	}
	if t.NoDecision != nil && (len(t.Problems) == 0 || *t.NoDecision != t.Problems[0]) {
		printFinding(b, "  no decision: ", *t.NoDecision)
	}
	for i, d := range t.Decisions {
		if i == maxExplained {
			fmt.Fprintf(b, "  … and %d earlier events; -o json has all\n", len(t.Decisions)-maxExplained)
			break
		}
		cluster := ""
		if d.Event.Cluster != "" {
			cluster = " in " + d.Event.Cluster
		}
		fired := ""
		if d.Event.Fired {
			fired = ", fired by hand"
		}
		fmt.Fprintf(b, "  %s ago  %s of %s%s%s: %s\n", o.now.Sub(d.Time).Round(time.Second),
			printable.Line(d.Event.Type), printable.Line(d.Event.Key), printable.Line(cluster), fired, printable.Line(d.Text))
		if d.Now != "" {
			fmt.Fprintf(b, "      now: %s = %s\n", printable.Line(d.Path), printable.Line(d.Now))
		}
	}
	if t.LastError != "" {
		when := ""
		if t.LastErrorTime != nil {
			when = ", " + o.now.Sub(*t.LastErrorTime).Round(time.Second).String() + " ago"
		}
		fmt.Fprintf(b, "  last error%s: %s\n", when, printable.Line(t.LastError))
	}
}

// printFinding prints what keeps a trigger from acting.
func printFinding(b *strings.Builder, prefix string, f explain.Finding) {
	fmt.Fprintf(b, "%s%s", prefix, printable.Line(f.Reason))
	if f.Message != "" {
		fmt.Fprintf(b, ": %s", printable.Line(f.Message))
	}
	b.WriteByte('\n')
}
