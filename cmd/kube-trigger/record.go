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

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubevela/kube-trigger/pkg/app"
)

func recordCommand() *cobra.Command {
	o := app.DefaultRecordOptions()
	log := logFlags{level: "warn"}
	cmd := &cobra.Command{
		Use:   "record (--kinds KIND,... | -f FILE|DIR) --journal DIR",
		Short: "Record what happens in a cluster, for simulate",
		Long: `Record what happens in a cluster, for simulate.

The changes of objects of some kinds, or the events of the sources of triggers, are kept in a
journal, until the command is interrupted. Objects are read with the rights of the user; nothing
is written to the cluster, and no trigger acts. Values of Secrets are left out. The journal can be
read by the user alone; when it is full, the oldest part goes first. A later recording continues
it.`,
		Example: `  # Changes of all Deployments and ConfigMaps, for an hour
  kube-trigger record --kinds apps/v1/Deployment,v1/ConfigMap -A --journal week --for 1h

  # The events of the sources of some triggers, until ^C
  kube-trigger record -f triggers.yaml --journal week`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := log.setLogger(cmd); err != nil {
				return err
			}
			n, err := app.Record(cmd.Context(), o)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "recorded %s in %s\n", plural(n, "event"), o.Journal)
			return err
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.Kinds, "kinds", nil, "the kinds of the objects, such as v1/ConfigMap,apps/v1/Deployment")
	f.StringVarP(&o.Namespace, "namespace", "n", "", "the namespace of the objects; defaults to the one of the kubeconfig")
	f.BoolVarP(&o.AllNamespaces, "all-namespaces", "A", false, "objects of all namespaces, and cluster-scoped ones")
	configAliasFlags(f, &o.Config, &o.ActionsDir)
	f.Var((*seconds)(&o.For), "for", "how long to record; by default until the command is interrupted")
	journalFlags(f, &o.JournalOptions, "max-size")
	clusterFlags(f, &o.ClusterOptions)
	log.add(f)
	return cmd
}

// journalFlags adds the flags of a journal that is written.
func journalFlags(f *pflag.FlagSet, o *app.JournalOptions, size string) {
	f.StringVar(&o.Journal, "journal", "", "a directory in which events are recorded for simulate, readable by its user alone, without values of Secrets")
	f.Var((*quantity)(&o.JournalSize), size, "the maximum size of the journal; when it is full, the oldest part goes first")
}

// plural returns n things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
