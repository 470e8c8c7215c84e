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
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/pkg/catalog"
)

func initCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a first trigger, action or test to a file",
		Example: `  # Answer questions on a terminal.
  kube-trigger init trigger

  # Write an action.
  kube-trigger init action -o actions/greet.cue

  # Write tests of triggers.
  kube-trigger init test -f trigger.yaml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(initTriggerCommand(), initActionCommand(), initTestCommand())
	return cmd
}

func initTriggerCommand() *cobra.Command {
	var (
		o    app.TriggerOptions
		file string
	)
	cmd := &cobra.Command{
		Use:   "trigger",
		Short: "Write a first trigger to a file, and a test of it",
		Long: `Write a first trigger to a file, and a test of it to another beside it; neither must exist. It asks for
whatever no flag sets, if standard input is a terminal. The properties are those of the examples of
"kube-trigger show": edit them.`,
		Example: `  # Answer questions.
  kube-trigger init trigger

  # Give an Application a new revision when a ConfigMap changes.
  kube-trigger init trigger --source resource-watcher --kind ConfigMap --action bump-application-revision -o trigger.yaml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p := newPrompt(cmd.InOrStdin(), cmd.ErrOrStderr())
			p.ask("Source, of `kube-trigger list sources`", "resource-watcher", &o.Source)
			if o.Source == "resource-watcher" {
				p.ask("Kind of the objects", "ConfigMap", &o.Kind)
			}
			p.ask("Action, of `kube-trigger list actions`", "log", &o.Action)
			p.ask("File", "trigger.yaml", &file)
			if p.err != nil {
				return p.err
			}
			text, err := app.NewTrigger(cmd.Context(), o)
			if err != nil {
				return err
			}
			if err := writeNew(cmd, file, text, "vet -f "+file); err != nil || file == app.StdinPath {
				return err
			}
			return writeTests(cmd, file, o.ActionsDir, app.TestPath(file))
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Source, "source", "", "the type of the source")
	f.StringVar(&o.Kind, "kind", "", "the kind of the objects of a resource-watcher")
	f.StringVar(&o.APIVersion, "api-version", "", "the API version of the objects; defaults to that of a built-in kind")
	f.StringVar(&o.Action, "action", "", "the type of the action")
	f.StringVar(&o.Name, "name", "first", "the name of the trigger")
	actionsDirFlag(f, &o.ActionsDir)
	newFileFlag(cmd, &file)
	_ = cmd.RegisterFlagCompletionFunc("source", completeTypes(&o.ActionsDir, catalog.Source))
	_ = cmd.RegisterFlagCompletionFunc("action", completeTypes(&o.ActionsDir, catalog.Action))
	return cmd
}

func initActionCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:     "action",
		Short:   "Write a first action in CUE to a file",
		Long:    "Write a first action in CUE to a file, which must not exist. The name of the file is the type of the action.",
		Example: "  kube-trigger init action -o greet.cue",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p := newPrompt(cmd.InOrStdin(), cmd.ErrOrStderr())
			p.ask("File", "action.cue", &file)
			if p.err != nil {
				return p.err
			}
			text, err := app.NewAction(cmd.Context())
			if err != nil {
				return err
			}
			return writeNew(cmd, file, text, "vet -f "+file)
		},
	}
	newFileFlag(cmd, &file)
	return cmd
}

// newFileFlag adds the flag of the file to write.
func newFileFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "output", "o", "", "the file to write, which must not exist; - for standard output")
}

func initTestCommand() *cobra.Command {
	var config, actionsDir, file string
	cmd := &cobra.Command{
		Use:   "test -f FILE|DIR",
		Short: "Write tests of triggers to a file",
		Long: `Write a test of each trigger to a file, which must not exist: an event of its source, and what happens
then. Change the events, and see what happens with "kube-trigger test --update".`,
		Example: "  kube-trigger init test -f trigger.yaml -o trigger_test.yaml",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return writeTests(cmd, config, actionsDir, cmp.Or(file, app.TestPath(config)))
		},
	}
	configAliasFlags(cmd.Flags(), &config, &actionsDir)
	newFileFlag(cmd, &file)
	cmd.Flags().Lookup("output").Usage = "the file to write, which must not exist; - for standard output; defaults to that of the triggers, with _test.yaml"
	return cmd
}

// writeTests writes the tests of a configuration and says so.
func writeTests(cmd *cobra.Command, config, actionsDir, file string) error {
	if err := app.NewTests(cmd.Context(), config, actionsDir, file, cmd.OutOrStdout()); err != nil || file == app.StdinPath {
		return err
	}
	return wrote(cmd, file, "test "+file)
}

// writeNew writes a file and says so, and which command checks it.
func writeNew(cmd *cobra.Command, file string, text []byte, check string) error {
	if err := app.WriteNew(file, text, cmd.OutOrStdout()); err != nil || file == app.StdinPath {
		return err
	}
	return wrote(cmd, file, check)
}

func wrote(cmd *cobra.Command, file, check string) error {
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s; check it with: %s %s\n", file, cmd.Root().Name(), check)
	return err
}

// prompt asks questions on a terminal.
type prompt struct {
	in       *bufio.Reader
	out      io.Writer
	terminal bool
	err      error
}

func newPrompt(in io.Reader, out io.Writer) *prompt {
	f, ok := in.(*os.File)
	return &prompt{in: bufio.NewReader(in), out: out, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

// ask sets an empty value to the answer, or to preset if the answer is empty. Without a terminal
// it leaves it empty, except a file, which becomes standard output.
func (p *prompt) ask(question, preset string, value *string) {
	if p.err != nil || *value != "" {
		return
	}
	if !p.terminal {
		if question == "File" {
			*value = app.StdinPath
		}
		return
	}
	_, _ = fmt.Fprintf(p.out, "%s [%s]: ", question, preset)
	line, err := p.in.ReadString('\n')
	if err != nil {
		p.err = errors.New("no answer; nothing is written")
		return
	}
	if *value = strings.TrimSpace(line); *value == "" {
		*value = preset
	}
}
