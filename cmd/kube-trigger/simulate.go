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
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/pkg/printable"
	"github.com/kubevela/kube-trigger/pkg/simulation"
)

func simulateCommand() *cobra.Command {
	var (
		o   app.SimulateOptions
		out = output{format: outputTable}
	)
	cmd := &cobra.Command{
		Use:   "simulate -f FILE|DIR --journal DIR|FILE",
		Short: "Say what triggers would have done with what was recorded, without a cluster",
		Long: `Say what triggers would have done with what was recorded, without a cluster.

A journal is made by record, or by run with --journal. Filters, windows, rate limits and schedules
decide as they would have at the times in the journal. Actions are counted; none of them runs.
With --compare, the triggers of a second configuration get the same events.`,
		Example: `  # What would these triggers have done?
  kube-trigger simulate -f triggers.yaml --journal week

  # What does the new version do differently, on the last day of the journal?
  kube-trigger simulate -f triggers.yaml --compare new.yaml --journal week --since 24h -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.open(cmd); err != nil {
				return err
			}
			report, err := app.Simulate(cmd.Context(), o)
			if err != nil {
				return err
			}
			if out.format == outputJSON || out.format == outputYAML {
				return out.document(report)
			}
			return printReport(printable.Writer(out.to), report)
		},
	}
	f := cmd.Flags()
	configAliasFlags(f, &o.Config, &o.ActionsDir)
	f.StringVar(&o.Compare, "compare", "", "a second configuration, which gets the same events")
	f.StringVar(&o.Journal, "journal", "", "the directory of a journal, or one file of it")
	f.StringVar(&o.Since, "since", "", "the time of the first event, such as 2026-11-29T02:00:00Z, or a duration before the journal's end, such as 24h")
	f.StringVar(&o.Until, "until", "", "the time of the last event, like --since")
	out.addFlag(f)
	return cmd
}

// printReport prints a report as tables.
func printReport(w io.Writer, r simulation.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s from %s to %s\n", plural(r.Records, "event"), stamp(r.From), stamp(r.To))
	for _, file := range r.Cut {
		fmt.Fprintf(&b, "%s: the end was not written, and is left out\n", file)
	}
	printTriggers(&b, r.Triggers)
	printCauses(&b, "Filtered", r.Triggers, func(t simulation.Trigger) []simulation.CauseCount { return t.FilteredBy })
	printCauses(&b, "Suppressed", r.Triggers, func(t simulation.Trigger) []simulation.CauseCount { return t.SuppressedBy })
	printCauses(&b, "Failed", r.Triggers, func(t simulation.Trigger) []simulation.CauseCount { return t.FailedBy })
	table(&b, "Most actions", "TRIGGER\tOBJECT\tACTIONS", func(row func(...any)) {
		for _, t := range r.Triggers {
			for _, o := range t.TopObjects {
				row(t.Trigger, o.Object, o.Actions)
			}
		}
	})
	table(&b, "Writes of a trigger that others act on", "FROM\tTO\tEVENTS", func(row func(...any)) {
		for _, f := range r.Feeds {
			row(f.From, f.To, f.Events)
		}
	})
	for _, c := range r.Circles {
		fmt.Fprintf(&b, "\nCircle: %s -> %s\n", strings.Join(c, " -> "), c[0])
	}
	if c := r.Comparison; c != nil {
		b.WriteString("\nWith the second configuration:\n")
		printTriggers(&b, c.Triggers)
		table(&b, fmt.Sprintf("%s with other actions", plural(c.Different, "object")), "TRIGGER\tOBJECT\tBEFORE\tAFTER", func(row func(...any)) {
			for _, d := range c.Differences {
				row(d.Trigger, d.Object, d.Before, d.After)
			}
		})
		if c.Different == 0 {
			b.WriteString("\nNo object has other actions.\n")
		}
		if more := c.Different - len(c.Differences); more > 0 {
			fmt.Fprintf(&b, "and %d more\n", more)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printTriggers prints what each trigger did.
func printTriggers(b *strings.Builder, triggers []simulation.Trigger) {
	table(b, "", "TRIGGER\tEVENTS\tSUPPRESSED\tFILTERED\tFAILED\tMATCHED\tACTIONS\tOBJECTS\tBUSIEST MINUTE", func(row func(...any)) {
		for _, t := range triggers {
			busiest := "-"
			if m := t.Busiest; m != nil {
				busiest = fmt.Sprintf("%d at %s", m.Actions, stamp(m.Start))
			}
			row(t.Trigger, t.Events, t.Suppressed, t.Filtered, t.Failed, t.Matched, t.Actions, t.Objects, busiest)
		}
	})
	for _, t := range triggers {
		if len(t.Recordings) == 0 {
			fmt.Fprintf(b, "%s: the journal has no events of its source\n", t.Trigger)
		}
	}
}

// printCauses prints why triggers did not act.
func printCauses(b *strings.Builder, title string, triggers []simulation.Trigger, causes func(simulation.Trigger) []simulation.CauseCount) {
	table(b, title, "TRIGGER\tEVENTS\tREASON", func(row func(...any)) {
		for _, t := range triggers {
			for _, c := range causes(t) {
				row(t.Trigger, c.Count, cmp.Or(c.Reason, c.Path))
			}
		}
	})
}

// table prints a table with a title, unless it has no rows.
func table(b *strings.Builder, title, header string, rows func(row func(...any))) {
	var lines []string
	rows(func(cells ...any) {
		texts := make([]string, len(cells))
		for i, c := range cells {
			texts[i] = printable.Line(fmt.Sprint(c))
		}
		lines = append(lines, strings.Join(texts, "\t"))
	})
	if len(lines) == 0 {
		return
	}
	b.WriteString("\n")
	if title != "" {
		b.WriteString(title + ":\n")
	}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\n%s\n", header, strings.Join(lines, "\n"))
	_ = w.Flush() // a strings.Builder does not fail
}

// stamp returns a time with seconds.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
