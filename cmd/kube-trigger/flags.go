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
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubevela/kube-trigger/pkg/app"
)

// noEnv annotates flags without an environment variable: other programs use
// variables of their names.
const noEnv = "no-environment"

// flagsFromEnv sets each flag that is not on the command line from its environment
// variable: --log-level from LOG_LEVEL.
func flagsFromEnv(cmd *cobra.Command, _ []string) error {
	var errs []error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := envName(f.Name)
		value, ok := os.LookupEnv(name)
		if !ok || value == "" || f.Changed || f.Annotations[noEnv] != nil {
			return
		}
		if err := cmd.Flags().Set(f.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("$%s: invalid value %q: %w", name, value, errors.Unwrap(err)))
		}
	})
	if err := errors.Join(errs...); err != nil {
		return app.InvalidError{Err: err}
	}
	return nil
}

// withoutEnv marks flags that have no environment variable.
func withoutEnv(f *pflag.FlagSet, names ...string) {
	for _, name := range names {
		annotate(f, name, noEnv, []string{})
	}
}

// annotate sets an annotation of a flag, which f has.
func annotate(f *pflag.FlagSet, name, key string, values []string) {
	flag := f.Lookup(name)
	if flag.Annotations == nil {
		flag.Annotations = map[string][]string{}
	}
	flag.Annotations[key] = values
}

func envName(flag string) string {
	return strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// configFlags adds the flags of a configuration.
func configFlags(f *pflag.FlagSet, config, actionsDir *string) {
	f.StringVarP(config, "config", "c", "", "the triggers: a file, or a directory of .yaml, .yml, .json and .cue files")
	actionsDirFlag(f, actionsDir)
}

// actionsDirFlag adds the flag of the directory with own actions.
func actionsDirFlag(f *pflag.FlagSet, actionsDir *string) {
	f.StringVar(actionsDir, "actions-dir", "", "a directory of custom actions and workflow steps, one CUE template per file, or as objects in YAML; they take precedence over built-in ones")
}

// configAliasFlags adds the flags of a configuration, which is named by --file or -f, or as
// other commands name it.
func configAliasFlags(f *pflag.FlagSet, config, actionsDir *string) {
	configFlags(f, config, actionsDir)
	f.StringVarP(config, "file", "f", "", "the same as --config")
	withoutEnv(f, "file")
}

// dataflowFlags adds the flags that select the triggers of a configuration.
func dataflowFlags(f *pflag.FlagSet, o *app.DataflowOptions) {
	f.StringVarP(&o.Config, "file", "f", "", "the triggers: a file, or a directory of .yaml, .yml, .json and .cue files")
	actionsDirFlag(f, &o.ActionsDir)
	f.StringVarP(&o.Namespace, "namespace", "n", "default", "the namespace of triggers without one")
	f.StringSliceVar(&o.Schemas, "schemas", nil, "files or directories with CustomResourceDefinitions, which have the resources of their kinds")
	withoutEnv(f, "file", "namespace", "schemas")
}

// clusterFlags adds the flags that select the API server.
func clusterFlags(f *pflag.FlagSet, o *app.ClusterOptions) {
	o.Version = version
	f.StringVar(&o.Kubeconfig, "kubeconfig", "", "the kubeconfig file; defaults to $KUBECONFIG, ~/.kube/config, or the pod's ServiceAccount")
	f.StringVar(&o.Context, "context", "", "the context of the kubeconfig")
	withoutEnv(f, "kubeconfig", "context")
}

// catalogFlags adds the flags of the actions that are not built in.
func catalogFlags(f *pflag.FlagSet, o *app.CatalogOptions) {
	actionsDirFlag(f, &o.ActionsDir)
	f.BoolVar(&o.FromCluster, "cluster", false, "include the actions and workflow steps of the cluster that triggers in --namespace can use")
	clusterFlags(f, &o.Cluster)
	namespaceFlag(f, &o.Namespace)
	withoutEnv(f, "cluster")
}

// namespaceFlag adds the flag of the namespace that a command is about.
func namespaceFlag(f *pflag.FlagSet, namespace *string) {
	f.StringVarP(namespace, "namespace", "n", "", "the namespace; defaults to that of the kubeconfig")
	withoutEnv(f, "namespace")
}

// storeFlags adds the flags that select the store.
func storeFlags(f *pflag.FlagSet, o *app.StoreOptions) {
	f.StringVar(&o.Store, "store", app.StoreAuto, "the file that keeps progress and dead letters; auto: one per configuration and API server, in $XDG_STATE_HOME/kube-trigger; none: no file")
	f.StringVar(&o.TriggerService, "trigger-service", "", "the TriggerService, NAMESPACE/NAME, to use instead of a configuration; its progress and dead letters are kept in its namespace")
}

// logFlags are the values of the flags of the log. The level defaults to the one that is set, else to info.
type logFlags struct{ level, format string }

func (l *logFlags) add(f *pflag.FlagSet) {
	f.StringVar(&l.level, "log-level", cmp.Or(l.level, "info"), "debug, info, warn or error")
	f.StringVar(&l.format, "log-format", "text", "text or json")
}

// setLogger puts a logger to stderr into the context of cmd, and has libraries log
// to it.
func (l *logFlags) setLogger(cmd *cobra.Command) error {
	log, err := app.NewLogger(cmd.ErrOrStderr(), l.level, l.format)
	if err != nil {
		return err
	}
	app.SetLibraryLoggers(log)
	cmd.SetContext(logr.NewContext(cmd.Context(), log))
	return nil
}

// seconds is a duration flag that accepts a bare number of seconds.
type seconds time.Duration

func (s *seconds) Set(text string) error {
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		text = fmt.Sprintf("%fs", n)
	}
	d, err := time.ParseDuration(text)
	if err == nil && d <= 0 {
		err = errors.New("must be longer than 0s")
	}
	*s = seconds(d)
	return err
}

func (s *seconds) String() string { return time.Duration(*s).String() }

// Type returns the type of the value for the help.
func (s *seconds) Type() string { return "duration" }

// positive is an integer flag of at least 1.
type positive int

func (p *positive) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return errors.New("must be a whole number")
	}
	if n < 1 {
		return errors.New("must be 1 or more")
	}
	*p = positive(n)
	return nil
}

func (p *positive) String() string { return strconv.Itoa(int(*p)) }

// Type returns the type of the value for the help.
func (p *positive) Type() string { return "int" }

// quantity is a flag of a number of bytes, as a quantity of at least 1. It may be unset.
type quantity int64

func (q *quantity) Set(text string) error {
	parsed, err := resource.ParseQuantity(text)
	if err != nil {
		return errors.New("must be a quantity, such as 64Mi")
	}
	if parsed.Value() < 1 {
		return errors.New("must be 1 or more")
	}
	*q = quantity(parsed.Value())
	return nil
}

func (q *quantity) String() string {
	if *q == 0 {
		return ""
	}
	return resource.NewQuantity(int64(*q), resource.BinarySI).String()
}

// Type returns the type of the value for the help.
func (q *quantity) Type() string { return "quantity" }
