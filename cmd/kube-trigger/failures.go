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
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/cluster"
	"github.com/kubevela/kube-trigger/pkg/store/file"
	"github.com/kubevela/kube-trigger/pkg/store/socket"
)

// Values of --output.
const (
	outputTable = "table"
	outputJSON  = "json"
	outputYAML  = "yaml"
)

// deadLettersOptions are the flags of failures.
type deadLettersOptions struct {
	options

	output string
}

func deadLettersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "failures",
		Short: "List, show, replay and delete events that triggers gave up",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		deadLettersSubcommand("list", "List events that triggers gave up, the oldest first", outputTable, noArgs,
			func(ctx context.Context, f store.DeadLetterAdmin, _ []string, out output) error {
				return listDeadLetters(ctx, f, out)
			}),
		deadLettersSubcommand("show ID", "Show an event that a trigger gave up", outputYAML, idArgs(1, 1),
			func(ctx context.Context, f store.DeadLetterAdmin, ids []string, out output) error {
				l, err := f.GetDeadLetter(ctx, ids[0])
				if err != nil {
					return err
				}
				return out.deadLetter(newDeadLetter(l, true))
			}),
		deadLettersSubcommand("replay ID...", "Have events handled again by their triggers, now or when kube-trigger runs next", "", idArgs(1, -1),
			func(ctx context.Context, f store.DeadLetterAdmin, ids []string, out output) error {
				return forEach(ids, "asked for", out.to, func(id string) error { return f.RequestReplay(ctx, id) })
			}),
		deadLettersSubcommand("delete ID...", "Delete events that triggers gave up", "", idArgs(1, -1),
			func(ctx context.Context, f store.DeadLetterAdmin, ids []string, out output) error {
				return forEach(ids, "deleted", out.to, func(id string) error { return f.DeleteDeadLetter(ctx, id) })
			}),
	)
	return cmd
}

// deadLettersSubcommand returns a command on failures. It has --output where that
// has a default.
func deadLettersSubcommand(use, short, format string, args cobra.PositionalArgs, run func(context.Context, store.DeadLetterAdmin, []string, output) error) *cobra.Command {
	o := deadLettersOptions{output: format}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: args, PreRunE: flagsFromEnv,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			switch o.output {
			case outputTable, outputJSON, outputYAML, "":
			default:
				return invalid{fmt.Errorf("--output %q: must be %s, %s or %s", o.output, outputTable, outputJSON, outputYAML)}
			}
			f, end, err := o.openDeadLetters(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, end()) }()
			return run(cmd.Context(), f, args, output{to: cmd.OutOrStdout(), format: o.output, now: time.Now()})
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.Config, "config", "c", "", "the configuration whose store is meant")
	o.clusterFlags(flags)
	o.storeFlags(flags)
	if format != "" {
		flags.StringVarP(&o.output, "output", "o", format, "table, json or yaml")
		_ = flags.SetAnnotation("output", noEnv, []string{})
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return invalid{err} })
	return cmd
}

func idArgs(from, to int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < from || to >= 0 && len(args) > to {
			return invalid{errors.New("name an ID of `kube-trigger failures list`")}
		}
		return nil
	}
}

// forEach does f for all ids, whatever becomes of the others.
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

// openDeadLetters opens the dead letters that the flags name: in the cluster; with the
// process that has the file open; or in the file.
func (o *options) openDeadLetters(ctx context.Context) (store.DeadLetterAdmin, func() error, error) {
	nothing := func() error { return nil }
	if o.TriggerService != "" {
		name, err := o.serviceName()
		if err != nil {
			return nil, nil, err
		}
		cfg, _, err := o.clientConfig()
		if err != nil {
			return nil, nil, err
		}
		f, err := cluster.OpenDeadLetters(cluster.Options{Config: cfg, Namespace: name.Namespace, Owner: name.Name})
		return f, nothing, err
	}
	path, err := o.storeFile()
	if err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("no store at %s: kube-trigger has not run with it", path)
	}
	client, unserved := socket.Dial(ctx, socketPath(path))
	if unserved == nil {
		return client, client.Close, nil
	}
	s, err := file.Open(ctx, path, file.Options{})
	if locked := (*file.LockedError)(nil); errors.As(err, &locked) {
		return nil, nil, fmt.Errorf("%w, and does not answer: %w", err, unserved)
	}
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}

// storeFile returns the file that run uses with the same flags.
func (o *options) storeFile() (string, error) {
	switch o.Store {
	case storeNone:
		return "", invalid{errors.New("--store none: nothing is kept without a store")}
	case storeAuto:
	default:
		return o.Store, nil
	}
	if o.Config == "" {
		return "", invalid{errors.New("no store; name the file with --store, the configuration with --config (-c), or the TriggerService with --trigger-service")}
	}
	cfg, _, err := o.clientConfig()
	if err != nil {
		return "", err
	}
	return o.defaultStorePath(cfg.Host)
}

// deadLetter is a letter as it is shown.
type deadLetter struct {
	ID       string          `json:"id"`
	Trigger  string          `json:"trigger"`
	Reason   string          `json:"reason"`
	Error    string          `json:"error,omitempty"`
	Attempts int             `json:"attempts"`
	First    *time.Time      `json:"first,omitempty"`
	Last     *time.Time      `json:"last,omitempty"`
	Buried   time.Time       `json:"buried"`
	Replay   *time.Time      `json:"replay,omitempty"`
	Omitted  store.Omission  `json:"omitted,omitempty"`
	Event    deadLetterEvent `json:"event"`
}

type deadLetterEvent struct {
	Source    string         `json:"source"`
	Type      string         `json:"type"`
	Cluster   string         `json:"cluster,omitempty"`
	Key       string         `json:"key"`
	ID        string         `json:"id"`
	Time      time.Time      `json:"time"`
	Writer    string         `json:"writer,omitempty"`
	Unchanged []string       `json:"unchanged,omitempty"`
	Data      map[string]any `json:"data,omitempty"`
	Old       map[string]any `json:"old,omitempty"`
}

func newDeadLetter(l store.DeadLetter, whole bool) deadLetter {
	known := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	f := deadLetter{
		ID: l.ID, Trigger: l.Trigger.String(), Reason: l.Reason, Error: l.Error, Attempts: l.Attempts,
		First: known(l.FirstAttempt), Last: known(l.LastAttempt), Buried: l.StoredAt, Replay: known(l.ReplayRequestedAt), Omitted: l.Omitted,
		Event: newDeadLetterEvent(l.Event),
	}
	if !whole {
		f.Event.Data, f.Event.Old = nil, nil
	}
	return f
}

func newDeadLetterEvent(ev event.Event) deadLetterEvent {
	return deadLetterEvent{
		Source: ev.Source, Type: ev.Type, Cluster: ev.Cluster, Key: ev.Key, ID: ev.ID, Time: ev.Time,
		Writer: ev.Writer, Unchanged: ev.Unchanged, Data: ev.Data, Old: ev.Old,
	}
}

// output is where and how to show failures.
type output struct {
	to     io.Writer
	format string
	now    time.Time
}

func listDeadLetters(ctx context.Context, f store.DeadLetterAdmin, out output) error {
	buried, err := f.ListDeadLetters(ctx)
	if err != nil {
		return err
	}
	all := []deadLetter{}
	for _, l := range buried.Items {
		all = append(all, newDeadLetter(l, false))
	}
	if out.format != outputTable {
		return out.document(map[string]any{"failures": all, "dropped": buried.Dropped})
	}
	if err := out.table(all); err != nil {
		return err
	}
	if buried.Dropped > 0 {
		_, err = fmt.Fprintf(out.to, "%d more were dropped because of their number or age\n", buried.Dropped)
	}
	return err
}

func (o output) deadLetter(f deadLetter) error {
	if o.format == outputTable {
		return o.table([]deadLetter{f})
	}
	return o.document(f)
}

func (o output) document(v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err == nil && o.format == outputYAML {
		data, err = yaml.JSONToYAML(data)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(o.to, strings.TrimRight(string(data), "\n"))
	return err
}

func (o output) table(all []deadLetter) error {
	w := tabwriter.NewWriter(o.to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tTRIGGER\tTYPE\tKEY\tREASON\tATTEMPTS\tAGE\tREPLAY")
	for _, f := range all {
		replay := ""
		if f.Replay != nil {
			replay = "asked for"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", f.ID, f.Trigger, f.Event.Type, f.Event.Key,
			f.Reason, f.Attempts, o.now.Sub(f.Buried).Round(time.Second), replay)
	}
	return w.Flush()
}
