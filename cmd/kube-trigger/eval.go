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
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/filter"
	"github.com/kubevela/kube-trigger/pkg/printable"
	"github.com/kubevela/kube-trigger/pkg/rehearsal"
)

// maxShown is the length of a value in the output for people, in bytes.
const maxShown = 60

func evalCommand() *cobra.Command {
	var o app.EvalOptions
	out := output{format: outputTable}
	cmd := &cobra.Command{
		Use:   "eval -f FILE|DIR (--event FILE|- | --time TIME)",
		Short: "Say which triggers act on an event, why, and what they would do",
		Long: `Say which triggers act on an event, why, and what they would do, without doing it.

The event is a Kubernetes object, an event as the log or a dead letter shows it (sourceType,
event, data), or the body of a request to a webhook. For a schedule, it is a time.

Each part of a filter is shown with the values that it has seen, in the order of evaluation.
Then come the calls of the action with all their parameters. Nothing is written and nothing is
sent: calls read the objects of --objects or, with --live-reads, of the cluster.

The exit code is 0 whether a trigger matches or not, and 2 if the command line, the
configuration or the event is invalid.`,
		Example: `  # Does a trigger act when this Deployment is changed, and what does it do?
  kube-trigger eval -f trigger.yaml --event deployment.yaml --old before.yaml

  # An object of the cluster, and what the API server says to the writes
  kubectl get configmap web -o yaml | kube-trigger eval -f trigger.yaml --event - --server-dry-run

  # A request to a webhook, and a tick of a schedule
  kube-trigger eval -f hooks.yaml --event push.json --header "X-GitHub-Event: push"
  kube-trigger eval -f nightly.yaml --time 2026-11-29T02:00:00Z`,
		Args:    noArgs,
		PreRunE: flagsFromEnv,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.open(cmd); err != nil {
				return err
			}
			o.Stdin = cmd.InOrStdin()
			evaluations, err := app.Eval(cmd.Context(), o)
			if err != nil {
				return err
			}
			if out.format != outputTable {
				return out.document(evaluations)
			}
			return printEvaluations(printable.Writer(out.to), evaluations)
		},
	}
	f := cmd.Flags()
	configAliasFlags(f, &o.Config, &o.ActionsDir)
	f.StringVar(&o.Trigger, "trigger", "", "evaluate only the trigger of this name")
	f.StringVar(&o.Event, "event", "", "the event: a file, or - for standard input")
	f.StringVar(&o.Type, "type", event.Update, "the type of the event, if it is an object: create, update, delete or sync")
	f.StringVar(&o.Old, "old", "", "a file with the object before the update")
	f.StringArrayVar(&o.Headers, "header", nil, `a header of the request, "Name: value"; may be repeated`)
	f.StringVar(&o.Time, "time", "", "the time of a tick of a schedule, such as 2026-11-29T02:00:00Z")
	f.StringArrayVar(&o.Objects, "objects", nil, "a file or directory of the objects that calls read; may be repeated")
	f.BoolVar(&o.LiveReads, "live-reads", false, "have the cluster answer reads of other objects; nothing is written to it")
	f.BoolVar(&o.ServerDryRun, "server-dry-run", false, "have the API server try the writes (dryRun=All), and show what they change; implies --live-reads")
	clusterFlags(f, &o.Cluster)
	out.addFlag(f)
	withoutEnv(f, "event", "type", "old", "header", "time", "objects", "trigger", "live-reads", "server-dry-run")
	return cmd
}

// evalConfigCommand is the child process of eval.
func evalConfigCommand() *cobra.Command {
	return childCommand(app.EvalCommand, "Evaluate an event for eval", app.ServeEval)
}

// printEvaluations prints evaluations for people.
func printEvaluations(w io.Writer, all []rehearsal.Evaluation) error {
	var out strings.Builder
	for i, e := range all {
		if i > 0 {
			out.WriteString("\n")
		}
		fmt.Fprintf(&out, "trigger %s (%s)\n", e.Trigger, e.Place)
		if e.Ignored != "" {
			fmt.Fprintf(&out, "  no event: %s\n", e.Ignored)
			continue
		}
		for _, n := range e.Notes {
			fmt.Fprintf(&out, "  note: %s\n", n)
		}
		for _, ev := range e.Events {
			if err := printEvent(&out, ev); err != nil {
				return err
			}
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func printEvent(out *strings.Builder, e rehearsal.EventEvaluation) error {
	fmt.Fprintf(out, "  event: %s\n", e.Event)
	switch {
	case e.Ignored != "":
		fmt.Fprintf(out, "  ignored: %s\n", e.Ignored)
		return nil
	case e.Match:
		out.WriteString("  the filter matches\n")
	default:
		fmt.Fprintf(out, "  filtered: %s\n", e.Reason)
	}
	printParts(out, e.Filter)
	for _, c := range e.Calls {
		fmt.Fprintf(out, "  call %s", c.Function)
		if c.Path != "" {
			fmt.Fprintf(out, " (%s)", c.Path)
		}
		switch {
		case c.NotSent:
			out.WriteString(", not sent")
		case c.Effect:
			out.WriteString(", not executed in a cluster")
		}
		out.WriteString("\n")
		if err := printIndented(out, "    ", c.Params); err != nil {
			return err
		}
		if c.Error != "" {
			fmt.Fprintf(out, "    # failed: %s\n", c.Error)
		}
	}
	for _, m := range e.Missing {
		fmt.Fprintf(out, "  reads %s: not in --objects\n", m)
	}
	if e.Error != "" {
		fmt.Fprintf(out, "  the action fails: %s\n", e.Error)
	} else if e.Match && len(e.Calls) == 0 {
		out.WriteString("  the action makes no calls\n")
	}
	for _, change := range e.Writes {
		if err := printWrite(out, change); err != nil {
			return err
		}
	}
	return nil
}

// printParts prints the parts of a filter in columns.
func printParts(out *strings.Builder, parts []filter.Part) {
	width := 0
	for _, p := range parts {
		width = max(width, len(p.Source))
	}
	for _, p := range parts {
		line := fmt.Sprintf("    %-*s  %s", width, p.Source, p.Result)
		switch text := p.Substituted(shown); {
		case p.Reason != "":
			line += "  (" + strings.TrimPrefix(p.Reason, p.Source+" ") + ")"
		case text != "":
			line += "  (" + text + ")"
		case len(p.Values) > 0:
			line += "  (" + strings.Join(values(p.Values), ", ") + ")"
		}
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

func values(all []filter.Value) (texts []string) {
	for _, v := range all {
		text := v.Path + " = " + shown(v.Value)
		if v.Absent {
			text = v.Path + " is absent"
		}
		texts = append(texts, text)
	}
	return texts
}

// shown returns a value as CUE, cut if it is long.
func shown(value any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return err.Error()
	}
	text := strings.TrimSpace(b.String())
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	return text
}

func printIndented(out *strings.Builder, indent string, value map[string]any) error {
	if len(value) == 0 {
		return nil
	}
	text, err := yaml.Marshal(value)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		out.WriteString(indent + line)
	}
	return nil
}

// printWrite prints the lines of an object that a write changes.
func printWrite(out *strings.Builder, w rehearsal.Write) error {
	fmt.Fprintf(out, "  the API server would change %s\n", w.Object)
	before, err := yaml.Marshal(w.Before)
	if err != nil {
		return err
	}
	after, err := yaml.Marshal(w.After)
	if err != nil {
		return err
	}
	if w.Before == nil {
		before = nil
	}
	if w.After == nil {
		after = nil
	}
	for _, line := range rehearsal.DiffLines(string(before), string(after)) {
		out.WriteString("    " + line + "\n")
	}
	return nil
}
