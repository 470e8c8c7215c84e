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
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	crlog "sigs.k8s.io/controller-runtime/pkg/log"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/admission"
	"github.com/kubevela/kube-trigger/pkg/controller"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// velaSystem is where KubeVela keeps definitions for all namespaces.
const velaSystem = "vela-system"

// checkers is how many TriggerServices are checked at the same time, each in a
// process of its own.
const checkers = 2

// controllerOptions are the flags of controller.
type controllerOptions struct {
	options

	namespace, image, metricsAddr, healthAddr string
	leaderElect                               bool
}

func controllerCommand() *cobra.Command {
	var o controllerOptions
	cmd := &cobra.Command{
		Use:     "controller",
		Short:   "Give every TriggerService of a cluster a worker",
		Long:    "Give every TriggerService of a cluster a worker. Each flag can be given as an environment variable: --worker-image as WORKER_IMAGE.",
		Args:    noArguments,
		PreRunE: fromEnvironment,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.control(cmd) },
	}
	f := cmd.Flags()
	o.connectionFlags(f)
	f.StringVar(&o.namespace, "namespace", "", "the namespace of the controller, where its Lease is, and Definitions for all namespaces may be; by default that of its pod or kubeconfig")
	f.StringVar(&o.image, "worker-image", "oamdev/kube-trigger:"+version, "the image of workers, unless their template names one")
	f.BoolVar(&o.leaderElect, "leader-elect", true, "wait until no other controller works")
	f.StringVar(&o.metricsAddr, "metrics-addr", "0", "where to serve /metrics, such as :8080; 0 for nowhere")
	f.StringVar(&o.healthAddr, "health-addr", "0", "where to serve /healthz and /readyz, such as :8081; 0 for nowhere")
	return cmd
}

// control runs the controller until the command's context ends.
func (o *controllerOptions) control(cmd *cobra.Command) error {
	log, err := o.logger(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	klog.SetLogger(log.WithName("client"))
	crlog.SetLogger(log)
	cfg, namespace, err := o.clientConfig()
	if err != nil {
		return err
	}
	if o.namespace == "" {
		o.namespace = namespace
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	scheme := runtime.NewScheme()
	if err := controller.AddToScheme(scheme); err != nil {
		return err
	}
	m, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: scheme, Logger: log, Cache: controller.Cache(),
		Metrics: metricsserver.Options{BindAddress: o.metricsAddr}, HealthProbeBindAddress: o.healthAddr,
		LeaderElection: o.leaderElect, LeaderElectionID: "kube-trigger-controller",
		LeaderElectionNamespace: o.namespace, LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return fmt.Errorf("start controller: %w", err)
	}
	for _, add := range []func(string, healthz.Checker) error{m.AddHealthzCheck, m.AddReadyzCheck} {
		if err := add("ping", healthz.Ping); err != nil {
			return err
		}
	}
	ctx := logr.NewContext(cmd.Context(), log)
	err = controller.Setup(ctx, m, controller.Options{
		SystemNamespaces: systemNamespaces(o.namespace),
		Image:            o.image,
		Checker:          admission.NewChild(checkers, admission.MaxTime, program, checkCommand().Name()),
	})
	if err != nil {
		return fmt.Errorf("start controller: %w", err)
	}
	log.Info("starting", "version", version, "namespace", o.namespace, "workerImage", o.image)
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
		Hidden: true, Args: noArguments,
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
	c := connection{}
	return admission.Serve(ctx, cmd.InOrStdin(), cmd.OutOrStdout(), admission.Local{Sources: c.sources(), BuiltIn: builtIn})
}
