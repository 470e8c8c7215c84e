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
	"io"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/pkg/printable"
)

func rbacCommand() *cobra.Command {
	var (
		o      app.RBACOptions
		strict bool
		out    = output{format: outputYAML}
	)
	cmd := &cobra.Command{
		Use:   "rbac -f FILE|DIR",
		Short: "Print the Roles that triggers need, and no more, without a cluster",
		Long: `Print the Roles and ClusterRoles that triggers need, and their bindings, as YAML.

The rights are derived from the sources, and from what the actions' templates do for sample events. A right that
cannot be derived is a comment in the output, and a warning with -o json. The exit code is 0, or 2 with --strict if a right
cannot be derived.`,
		Example: `  kube-trigger rbac -f triggers.yaml -n team-a | kubectl apply -f -
  kube-trigger rbac -f triggers/ --actions-dir actions --account deployer --strict`,
		Args:    noArgs,
		PreRunE: flagsFromEnv,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.open(cmd); err != nil {
				return err
			}
			if out.format == outputTable {
				return app.InvalidError{Err: fmt.Errorf("--output %q: must be %s or %s", out.format, outputYAML, outputJSON)}
			}
			r, err := app.RBAC(cmd.Context(), o)
			if err != nil {
				return err
			}
			if err := printRBAC(cmd, out, r); err != nil {
				return err
			}
			if strict && len(r.Unknown) > 0 {
				return app.InvalidError{Err: errors.New("rights that cannot be derived:\n" + strings.Join(r.Unknown, "\n"))}
			}
			return nil
		},
	}
	dataflowFlags(cmd.Flags(), &o.DataflowOptions)
	cmd.Flags().StringVar(&o.Account, "account", "", "the ServiceAccount of the triggers; defaults to spec.serviceAccountName of the TriggerService, else to kube-trigger")
	cmd.Flags().BoolVar(&strict, "strict", false, "fail if a right cannot be derived")
	cmd.Flags().StringVarP(&out.format, "output", "o", out.format, "yaml or json")
	withoutEnv(cmd.Flags(), "account", "strict", "output")
	return cmd
}

func printRBAC(cmd *cobra.Command, out output, r app.RBACResult) error {
	if out.format == outputJSON {
		for _, text := range append(r.Unknown, r.Notes...) {
			if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s\n", printable.Line(text)); err != nil {
				return err
			}
		}
		return out.document(map[string]any{"apiVersion": "v1", "kind": "List", "items": r.Objects})
	}
	var b strings.Builder
	for _, text := range append(r.Unknown, r.Notes...) {
		fmt.Fprintf(&b, "# %s\n", printable.Line(text))
	}
	for i, o := range r.Objects {
		data, err := yaml.Marshal(o)
		if err != nil {
			return err
		}
		if i > 0 {
			b.WriteString("---\n")
		}
		b.Write(data)
	}
	if len(r.Objects) == 0 {
		b.WriteString("# the triggers need no rights\n")
	}
	_, err := io.WriteString(out.to, printable.Text(b.String()))
	return err
}
