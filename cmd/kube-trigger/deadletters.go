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
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/printable"
	"github.com/kubevela/kube-trigger/pkg/store"
)

func deadLettersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "dead-letters",
		Aliases: []string{"dl", "failures"},
		Short:   "List, show, replay and delete dead letters: the events that triggers could not handle",
		Example: `  # List those of a configuration that runs, or has run, on this machine.
  kube-trigger dead-letters list -c config.yaml

  # Have the triggers of a TriggerService handle one again.
  kube-trigger dead-letters replay --trigger-service team-a/web 3f9c2a`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		deadLettersSubcommand("list", "List dead letters, the oldest first", "  kube-trigger dead-letters list -c config.yaml\n  kube-trigger dead-letters list --trigger-service team-a/web -o json", outputTable, noArgs,
			func(ctx context.Context, d *app.DeadLetters, _ []string, out output) error {
				return listDeadLetters(ctx, d, out)
			}),
		deadLettersSubcommand("show ID", "Show a dead letter with the data of its event", "  kube-trigger dead-letters show -c config.yaml 3f9c2a", outputYAML, idArgs(1, 1),
			func(ctx context.Context, d *app.DeadLetters, ids []string, out output) error {
				l, err := d.Get(ctx, ids[0])
				if err != nil {
					return err
				}
				return out.deadLetter(newDeadLetter(l, true))
			}),
		deadLettersSubcommand("replay ID...", "Have triggers handle the events of dead letters again, now or when kube-trigger runs next", "  kube-trigger dead-letters replay -c config.yaml 3f9c2a", "", idArgs(1, -1),
			func(ctx context.Context, d *app.DeadLetters, ids []string, out output) error {
				return forEach(ids, "replay requested", out.to, func(id string) error { return d.RequestReplay(ctx, id) })
			}),
		deadLettersSubcommand("delete ID...", "Delete dead letters", "  kube-trigger dead-letters delete -c config.yaml 3f9c2a", "", idArgs(1, -1),
			func(ctx context.Context, d *app.DeadLetters, ids []string, out output) error {
				return forEach(ids, "deleted", out.to, func(id string) error { return d.Delete(ctx, id) })
			}),
	)
	return cmd
}

// deadLettersSubcommand returns a subcommand that opens the store and calls run.
// It has the flag --output if format, the default of the flag, is not empty.
func deadLettersSubcommand(use, short, example, format string, args cobra.PositionalArgs, run func(context.Context, *app.DeadLetters, []string, output) error) *cobra.Command {
	var o app.StoreOptions
	out := output{format: format, now: time.Now()}
	cmd := &cobra.Command{
		Use: use, Short: short, Example: example, Args: args, PreRunE: flagsFromEnv,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := out.open(cmd); err != nil {
				return err
			}
			d, err := app.OpenDeadLetters(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, d.Close()) }()
			return run(cmd.Context(), d, args, out)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.Config, "config", "c", "", "the configuration that the store belongs to")
	clusterFlags(f, &o.ClusterOptions)
	storeFlags(f, &o)
	if format != "" {
		out.addFlag(f)
	}
	return cmd
}

// idArgs accepts from to to IDs, or any number if to is negative.
func idArgs(from, to int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < from || to >= 0 && len(args) > to {
			return app.InvalidError{Err: errors.New("name an ID of `kube-trigger dead-letters list`")}
		}
		return nil
	}
}

// forEach calls f for each ID, prints the ID and done if it succeeds, and returns
// the errors of all others.
func forEach(ids []string, done string, to io.Writer, f func(id string) error) error {
	var errs []error
	for _, id := range ids {
		if err := f(id); err != nil {
			errs = append(errs, err)
			continue
		}
		if _, err := fmt.Fprintln(to, id, done); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

// deadLetter is the output format of a dead letter.
type deadLetter struct {
	ID       string          `json:"id"`
	Trigger  string          `json:"trigger"`
	Reason   string          `json:"reason"`
	Error    string          `json:"error,omitempty"`
	Attempts int             `json:"attempts"`
	First    *time.Time      `json:"first,omitempty"`
	Last     *time.Time      `json:"last,omitempty"`
	StoredAt time.Time       `json:"storedAt"`
	Replay   *time.Time      `json:"replay,omitempty"`
	Omitted  store.Omission  `json:"omitted,omitempty"`
	Event    deadLetterEvent `json:"event"`
}

// deadLetterEvent is the output format of the event of a dead letter.
type deadLetterEvent struct {
	Source  string         `json:"source"`
	Type    string         `json:"type"`
	Cluster string         `json:"cluster,omitempty"`
	Key     string         `json:"key"`
	ID      string         `json:"id"`
	Time    time.Time      `json:"time"`
	Data    map[string]any `json:"data,omitempty"`
	Old     map[string]any `json:"old,omitempty"`
	Batch   *event.Batch   `json:"batch,omitempty"`
}

// newDeadLetter returns the output format of l, with or without the data of its
// event.
func newDeadLetter(l store.DeadLetter, withData bool) deadLetter {
	optional := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	d := deadLetter{
		ID: l.ID, Trigger: l.Trigger.String(), Reason: l.Reason, Error: l.Error, Attempts: l.Attempts,
		First: optional(l.FirstAttempt), Last: optional(l.LastAttempt), StoredAt: l.StoredAt,
		Replay: optional(l.ReplayRequestedAt), Omitted: l.Omitted,
		Event: newDeadLetterEvent(l.Event),
	}
	if !withData {
		d.Event.Data, d.Event.Old, d.Event.Batch = nil, nil, nil
	}
	return d
}

func newDeadLetterEvent(ev event.Event) deadLetterEvent {
	return deadLetterEvent{
		Source: ev.Source, Type: ev.Type, Cluster: ev.Cluster, Key: ev.Key, ID: ev.ID, Time: ev.Time,
		Data: ev.Data, Old: ev.Old, Batch: ev.Batch,
	}
}

func listDeadLetters(ctx context.Context, d *app.DeadLetters, out output) error {
	list, err := d.List(ctx)
	if err != nil {
		return err
	}
	all := []deadLetter{}
	for _, l := range list.Items {
		all = append(all, newDeadLetter(l, false))
	}
	if out.format != outputTable {
		return out.document(map[string]any{"deadLetters": all, "dropped": list.Dropped})
	}
	if err := out.deadLetters(all); err != nil {
		return err
	}
	if list.Dropped > 0 {
		_, err = fmt.Fprintf(out.to, "%d more were dropped because of their number or age\n", list.Dropped)
	}
	return err
}

func (o output) deadLetter(d deadLetter) error {
	if o.format == outputTable {
		return o.deadLetters([]deadLetter{d})
	}
	return o.document(d)
}

// deadLetters prints dead letters for people.
func (o output) deadLetters(all []deadLetter) error {
	w := tabwriter.NewWriter(o.to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tTRIGGER\tTYPE\tKEY\tREASON\tATTEMPTS\tAGE\tREPLAY")
	for _, d := range all {
		replay := ""
		if d.Replay != nil {
			replay = "requested"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", printable.Line(d.ID), printable.Line(d.Trigger),
			printable.Line(d.Event.Type), printable.Line(d.Event.Key), printable.Line(d.Reason), d.Attempts, o.now.Sub(d.StoredAt).Round(time.Second), replay)
	}
	return w.Flush()
}
