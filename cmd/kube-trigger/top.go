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
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/pkg/printable"
	"github.com/kubevela/kube-trigger/pkg/sleep"
)

// topInterval is the default time between two samples.
const topInterval = 2 * time.Second

func topCommand() *cobra.Command {
	var o app.OverviewOptions
	interval, once := seconds(topInterval), false
	cmd := &cobra.Command{
		Use:   "top [SERVICE]",
		Short: "Watch rates, lag and failures of triggers",
		Long: `Watch the rates, the lag and the failures of triggers in a table. Press q to quit.

The numbers come from the metrics of the workers, by a port-forward with your own rights; with --config or --store, from
the process on this machine. If the output is no terminal, one table is printed.`,
		Example: `  kube-trigger top -n team-a
  kube-trigger top web -n team-a --once
  kube-trigger top -c config.yaml`,
		PreRunE: flagsFromEnv,
		Args:    serviceArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.Service = args[0]
			}
			overviewer, err := app.NewOverviewer(o)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if file, ok := out.(*os.File); once || !ok || !term.IsTerminal(int(file.Fd())) {
				return topOnce(cmd.Context(), out, overviewer, time.Duration(interval))
			}
			final, err := tea.NewProgram(topModel{ctx: cmd.Context(), overviewer: overviewer, interval: time.Duration(interval)},
				tea.WithContext(cmd.Context()), tea.WithOutput(out), tea.WithInput(cmd.InOrStdin())).Run()
			if m, ok := final.(topModel); ok && err == nil && m.last.Time.IsZero() {
				err = m.err // there was nothing to show
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.Config, "config", "c", "", "the configuration of the process to watch, instead of TriggerServices")
	f.StringVar(&o.Store, "store", app.StoreAuto, "the store of the process to watch, instead of the one of --config")
	f.BoolVarP(&o.AllNamespaces, "all-namespaces", "A", false, "the TriggerServices of all namespaces")
	f.BoolVar(&once, "once", false, "print one table, with the rates of one interval")
	f.Var(&interval, "interval", "the time between two samples")
	withoutEnv(f, "all-namespaces", "once", "interval")
	namespaceFlag(f, &o.Namespace)
	clusterFlags(f, &o.ClusterOptions)
	return cmd
}

// topOnce prints one table.
func topOnce(ctx context.Context, out io.Writer, overviewer *app.Overviewer, interval time.Duration) error {
	before, err := overviewer.Read(ctx)
	if err != nil || !sleep.For(ctx, clock.RealClock{}, interval) {
		return err
	}
	last, err := overviewer.Read(ctx)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, topTable(before, last))
	return err
}

// topModel is the live table.
type topModel struct {
	ctx        context.Context //nolint:containedctx // of the program, which bubbletea does not pass on
	overviewer *app.Overviewer
	interval   time.Duration
	// before and last are the last two samples; zero before they are there. err is that of the
	// last attempt.
	before, last app.Overview
	err          error
	height       int
}

// sample is the result of reading the state of triggers.
type sample struct {
	overview app.Overview
	err      error
}

func (m topModel) read() tea.Msg {
	overview, err := m.overviewer.Read(m.ctx)
	return sample{overview, err}
}

// Init implements tea.Model.
func (m topModel) Init() tea.Cmd { return m.read }

// Update implements tea.Model.
func (m topModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.KeyPressMsg:
		switch msg.String() {
		case "q", "esc", "ctrl+c":
			return m, tea.Quit
		}
	case tea.WindowSizeMsg:
		m.height = msg.Height
	case sample:
		if m.err = msg.err; m.err == nil {
			m.before, m.last = m.last, msg.overview
		} else if m.last.Time.IsZero() {
			return m, tea.Quit
		}
		return m, tea.Tick(m.interval, func(time.Time) tea.Msg { return m.read() })
	}
	return m, nil
}

// View implements tea.Model.
func (m topModel) View() tea.View {
	text := "reading…\n"
	if !m.last.Time.IsZero() {
		text = fmt.Sprintf("%s  q: quit\n", m.last.Time.Format(time.TimeOnly)) + topTable(m.before, m.last)
	}
	if m.err != nil {
		text += "not up to date: " + printable.Line(m.err.Error()) + "\n"
	}
	lines := strings.SplitAfter(text, "\n")
	if m.height > 0 && len(lines) > m.height {
		lines = lines[:m.height]
	}
	view := tea.NewView(strings.Join(lines, ""))
	view.AltScreen = true
	return view
}

// topTable returns the table of a sample, with rates since an earlier one, which may be zero.
func topTable(before, last app.Overview) string {
	type id struct{ namespace, service, name string }
	earlier := map[id]*app.TriggerMetrics{}
	for _, t := range before.Triggers {
		earlier[id{t.Namespace, t.Service, t.Name}] = t.Metrics
	}
	elapsed := last.Time.Sub(before.Time).Seconds()
	rate := func(now float64, then func(*app.TriggerMetrics) float64, old *app.TriggerMetrics) string {
		if old == nil || now < then(old) { // a worker has started
			return "?"
		}
		return fmt.Sprintf("%.1f", (now-then(old))/elapsed)
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAMESPACE\tSERVICE\tTRIGGER\tSTATE\tEVENTS/S\tACTIONS/S\tFAILURES/S\tQUEUED\tLAG\tDEAD LETTERS")
	for _, t := range last.Triggers {
		old := earlier[id{t.Namespace, t.Service, t.Name}]
		events, actions, failures, queued := "?", "?", "?", "?"
		if m := t.Metrics; m != nil {
			events = rate(m.Events, func(m *app.TriggerMetrics) float64 { return m.Events }, old)
			actions = rate(m.Succeeded, func(m *app.TriggerMetrics) float64 { return m.Succeeded }, old)
			failures = rate(m.Failed, func(m *app.TriggerMetrics) float64 { return m.Failed }, old)
			queued = fmt.Sprint(m.Queued)
		}
		state := string(t.State)
		if t.Reason != "" {
			state += " (" + t.Reason + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\n", printable.Line(t.Namespace), printable.Line(t.Service), printable.Line(t.Name),
			printable.Line(state), events, actions, failures, queued, lagOf(t), t.DeadLetters)
	}
	_ = w.Flush() // a strings.Builder returns no error
	for _, u := range last.Unreachable {
		fmt.Fprintf(&b, "no metrics of worker %s: %s\n", printable.Line(u.Pod), printable.Line(u.Error))
	}
	return b.String()
}
