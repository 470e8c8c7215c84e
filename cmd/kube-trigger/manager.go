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

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	crlog "sigs.k8s.io/controller-runtime/pkg/log"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kubevela/kube-trigger/pkg/controller"
)

// managed are the flags of what works for all TriggerServices of a cluster.
type managed struct {
	options

	Namespace, HealthAddr string
}

// managedFlags are those flags; is says what the namespace is for.
func (o *managed) managedFlags(f *pflag.FlagSet, is string) {
	o.connectionFlags(f)
	f.StringVar(&o.Namespace, "namespace", "", is+"; by default that of its pod or kubeconfig")
	f.StringVar(&o.MetricsAddr, "metrics-addr", "0", "where to serve /metrics, such as :8080; 0 for nowhere")
	f.StringVar(&o.HealthAddr, "health-addr", "0", "where to serve /healthz and /readyz, such as :8081; 0 for nowhere")
}

// begin returns where cmd logs to and how it reaches the API server. What
// Kubernetes' libraries log goes the same way.
func (o *managed) begin(cmd *cobra.Command) (logr.Logger, *rest.Config, error) {
	log, err := o.logger(cmd.ErrOrStderr())
	if err != nil {
		return log, nil, err
	}
	klog.SetLogger(log.WithName("client"))
	crlog.SetLogger(log)
	cfg, namespace, err := o.clientConfig()
	if o.Namespace == "" {
		o.Namespace = namespace
	}
	return log, cfg, err
}

// manager returns a manager that knows the kinds of the controller, and serves
// metrics and probes. Its Lease is in the namespace, with the name that special
// gives; so are its cache and whether it waits for the Lease.
func (o *managed) manager(log logr.Logger, cfg *rest.Config, special ctrl.Options) (ctrl.Manager, error) {
	special.Scheme, special.Logger = runtime.NewScheme(), log
	// What it runs logs there, too.
	special.BaseContext = func() context.Context { return logr.NewContext(context.Background(), log) }
	if err := controller.AddToScheme(special.Scheme); err != nil {
		return nil, err
	}
	special.Metrics, special.HealthProbeBindAddress = metricsserver.Options{BindAddress: o.MetricsAddr}, o.HealthAddr
	special.LeaderElectionNamespace, special.LeaderElectionReleaseOnCancel = o.Namespace, true
	m, err := ctrl.NewManager(cfg, special)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", special.LeaderElectionID, err)
	}
	for _, add := range []func(string, healthz.Checker) error{m.AddHealthzCheck, m.AddReadyzCheck} {
		if err := add("ping", healthz.Ping); err != nil {
			return nil, err
		}
	}
	return m, nil
}
