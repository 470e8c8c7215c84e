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
	"os"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/controller"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// velaSystem is where KubeVela keeps definitions for all namespaces.
const velaSystem = "vela-system"

// maxChecks is how many TriggerServices are checked at the same time, each in a
// process of its own.
const maxChecks = 2

// controllerOptions are the flags of controller.
type controllerOptions struct {
	managed

	WorkerImage string
	LeaderElect bool
	Webhook     WebhookOptions
}

func controllerCommand() *cobra.Command {
	var o controllerOptions
	cmd := &cobra.Command{
		Use:     "controller",
		Short:   "Give every TriggerService of a cluster a worker",
		Long:    "Give every TriggerService of a cluster a worker. Each flag can be given as an environment variable: --worker-image as WORKER_IMAGE.",
		Args:    noArgs,
		PreRunE: flagsFromEnv,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.control(cmd) },
	}
	f := cmd.Flags()
	o.managedFlags(f, "the namespace of the controller, where its Lease is, and Definitions for all namespaces may be")
	f.StringVar(&o.WorkerImage, "worker-image", "oamdev/kube-trigger:"+version, "the image of workers, unless their template names one")
	f.BoolVar(&o.LeaderElect, "leader-elect", true, "wait until no other controller works")
	o.Webhook.flags(f)
	return cmd
}

// control runs the controller until the command's context ends.
func (o *controllerOptions) control(cmd *cobra.Command) error {
	log, cfg, err := o.begin(cmd)
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	m, err := o.manager(log, cfg, ctrl.Options{
		Cache: controller.Cache(), LeaderElection: o.LeaderElect, LeaderElectionID: "kube-trigger-controller",
	})
	if err != nil {
		return err
	}
	ctx := logr.NewContext(cmd.Context(), log)
	setup := controller.Options{
		SystemNamespaces: systemNamespaces(o.Namespace),
		Image:            o.WorkerImage,
		Checker:          sandbox.NewChild(maxChecks, sandbox.MaxTime, program, checkCommand().Name()),
	}
	if err := controller.Setup(ctx, m, setup); err != nil {
		return fmt.Errorf("start controller: %w", err)
	}
	// Whoever writes a TriggerService waits, and not for those that are checked
	// because the controller has just begun.
	setup.Checker = sandbox.NewChild(maxChecks, sandbox.MaxTime, program, checkCommand().Name())
	if err := o.Webhook.add(m, o.Namespace, controller.NewValidator(m, setup)); err != nil {
		return fmt.Errorf("start webhook: %w", err)
	}
	log.Info("starting", "version", version, "namespace", o.Namespace, "workerImage", o.WorkerImage)
	return m.Start(ctx)
}

// systemNamespaces are where platform teams define what holds for all
// namespaces.
func systemNamespaces(own string) []string {
	if own == velaSystem {
		return []string{velaSystem}
	}
	return []string{own, velaSystem}
}

// checkCommand is what the controller runs to check what others wrote.
func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "Check a TriggerService for the controller",
		Hidden: true, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return check(cmd.Context(), cmd)
		},
	}
}

func check(ctx context.Context, cmd *cobra.Command) error {
	builtIn, err := trigger.BuiltIn(actions.FS)
	if err != nil {
		return err
	}
	c := clients{}
	return sandbox.Serve(ctx, cmd.InOrStdin(), cmd.OutOrStdout(), sandbox.Local{Sources: c.sources(), BuiltIn: builtIn})
}
