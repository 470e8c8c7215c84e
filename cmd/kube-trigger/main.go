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

// Command kube-trigger acts on events: when something happens, it decides with a
// CUE expression whether it matters, and runs a CUE action template.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/printable"
	"github.com/kubevela/kube-trigger/pkg/renewal"
)

// version is set when the binary is linked.
var version = "dev"

// Exit codes.
const (
	exitFailed  = 1 // an error at run time
	exitInvalid = 2 // an invalid command line or configuration
)

func main() {
	app.TuneGC()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal kills the process
	go app.ReturnMemory(ctx)
	err := command(os.Args[0]).ExecuteContext(ctx)
	if errors.Is(err, renewal.ErrDue) {
		err = nil
		signal.Reset(os.Interrupt, syscall.SIGTERM) // a later signal kills the process
		if ctx.Err() == nil {
			err = renewal.Exec()
		}
	}
	if err == nil {
		return
	}
	if !errors.As(err, &reportedError{}) {
		fmt.Fprintln(os.Stderr, printable.Text(err.Error()))
	}
	if errors.As(err, &app.InvalidError{}) {
		os.Exit(exitInvalid)
	}
	os.Exit(exitFailed)
}

// command returns the root command, for the executable at program. Without a subcommand it is run.
func command(program string) *cobra.Command {
	run := runCommand()
	root := &cobra.Command{
		Use:   name,
		Short: "When something happens, decide, then act",
		Long: `When something happens, decide, then act: kube-trigger runs actions for events of a Kubernetes cluster,
of schedules and of webhooks. Without a command it is run.`,
		Example: `  # Write a first trigger, check it and run it.
  kube-trigger init trigger --source resource-watcher --kind ConfigMap --action log -o trigger.yaml
  kube-trigger vet -f trigger.yaml
  kube-trigger run -c trigger.yaml`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		PreRunE:       run.PreRunE,
		RunE:          run.RunE,
	}
	root.Flags().AddFlagSet(run.Flags())
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(
		run,
		vetCommand(),
		validateCommand(),
		evalCommand(),
		testCommand(),
		recordCommand(),
		simulateCommand(),
		rbacCommand(),
		graphCommand(),
		listCommand(),
		showCommand(),
		schemaCommand(),
		initCommand(),
		defCommand(),
		explainCommand(),
		getCommand(),
		topCommand(),
		fireCommand(),
		deadLettersCommand(),
		controllerCommand(),
		completionCommand(),
		versionCommand(),
		// Child processes.
		checkCommand(),
		checkConfigCommand(),
		describeActionsCommand(),
		evalConfigCommand(),
		testConfigCommand(),
	)
	root.SetFlagErrorFunc(flagError) // subcommands inherit it
	completeValues(root)
	if isPlugin(program) {
		asPlugin(root)
	}
	return root
}

// childCommand returns the command of a child process, which serves a request in its input.
func childCommand(use, short string, serve func(context.Context, io.Reader, io.Writer) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Hidden: true, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}

// Names of the command.
const (
	name       = "kube-trigger"
	pluginFile = "kubectl-trigger" // the executable, as a plugin of kubectl
	pluginName = "kubectl trigger"
)

// isPlugin reports whether the executable at program is called as a plugin of kubectl.
func isPlugin(program string) bool {
	return strings.TrimSuffix(filepath.Base(program), ".exe") == pluginFile
}

// asPlugin has the help of cmd and of its subcommands call the command as kubectl does.
func asPlugin(root *cobra.Command) {
	root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: pluginName}
	var rename func(cmd *cobra.Command)
	rename = func(cmd *cobra.Command) {
		cmd.Example = strings.ReplaceAll(cmd.Example, name+" ", pluginName+" ")
		for _, c := range cmd.Commands() {
			rename(c)
		}
	}
	rename(root)
}

// flagError returns the error of a command line whose flags cannot be parsed. It suggests
// the nearest flag.
func flagError(cmd *cobra.Command, err error) error {
	if cmd.HasSubCommands() && cmd.Flags().NArg() > 0 { // the flag is that of an unknown subcommand
		return noArgs(cmd, cmd.Flags().Args())
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return app.InvalidError{Err: err}
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if nearest := diag.Nearest(unknown.GetSpecifiedName(), names); nearest != "" {
		err = fmt.Errorf("%w; did you mean --%s?", err, nearest)
	}
	return app.InvalidError{Err: err}
}

// noArgs returns an error if there are arguments. It suggests the nearest subcommand.
func noArgs(cmd *cobra.Command, args []string) error {
	err := cobra.NoArgs(cmd, args)
	if err == nil {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(append(names, c.Name()), c.Aliases...)
		}
	}
	return app.InvalidError{Err: fmt.Errorf("%w%s", err, diag.Suggest(args[0], names))}
}
