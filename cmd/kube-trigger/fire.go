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

	"github.com/spf13/cobra"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/pkg/printable"
)

func fireCommand() *cobra.Command {
	var o app.FireOptions
	out := output{format: outputTable}
	cmd := &cobra.Command{
		Use:   "fire SERVICE TRIGGER [--object KIND/NAME]",
		Short: "Fire a trigger once by hand",
		Long: `Fire a trigger once by hand, with an object that it watches, or with a tick if it has a schedule.

The worker reads the object as the account of the TriggerService and handles it as an update, with the filter. You need
the verb fire on the TriggerService, and to create triggerevents, in the API group standard.oam.dev.`,
		Example: `  # Handle ConfigMap settings now
  kube-trigger fire web deploy --object configmap/settings -n team-a
  # Run a schedule now
  kube-trigger fire nightly cleanup -n team-a`,
		PreRunE: flagsFromEnv,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return app.InvalidError{Err: errors.New("name a TriggerService and one of its triggers")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.open(cmd); err != nil {
				return err
			}
			o.Service, o.Trigger = args[0], args[1]
			fired, err := app.Fire(cmd.Context(), o)
			if err != nil {
				return err
			}
			if out.format != outputTable {
				return out.document(fired)
			}
			what := "a tick"
			if fired.Object != "" {
				what = fired.Object
			}
			_, err = fmt.Fprintf(out.to, "%s fire requested: trigger %s of %s handles %s\n", printable.Line(fired.ID),
				printable.Line(fired.Trigger), printable.Line(fired.TriggerService), printable.Line(what))
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Object, "object", "", "the object to handle: KIND/NAME, or KIND/NAMESPACE/NAME")
	namespaceFlag(f, &o.Namespace)
	clusterFlags(f, &o.ClusterOptions)
	out.addFlag(f)
	return cmd
}
