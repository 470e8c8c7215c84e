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
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubevela/kube-trigger/pkg/app"
)

func controllerCommand() *cobra.Command {
	o := app.DefaultControllerOptions()
	var log logFlags
	cmd := &cobra.Command{
		Use:     "controller",
		Short:   "Give every TriggerService of a cluster a worker",
		Example: "  # Run the controller outside of the cluster, as the addon runs it inside.\n  kube-trigger controller --namespace vela-system --kubeconfig ~/.kube/config",
		Long:    "Give every TriggerService of a cluster a worker. Each flag can be given as an environment variable: --worker-image as WORKER_IMAGE.",
		Args:    noArgs,
		PreRunE: flagsFromEnv,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := log.setLogger(cmd); err != nil {
				return err
			}
			return app.RunController(cmd.Context(), o)
		},
	}
	controllerFlags(cmd.Flags(), &o, &log)
	return cmd
}

// controllerFlags adds the flags of controller.
func controllerFlags(f *pflag.FlagSet, o *app.ControllerOptions, log *logFlags) {
	clusterFlags(f, &o.ClusterOptions)
	log.add(f)
	f.StringVar(&o.Namespace, "namespace", "", "the namespace of the controller's Lease, and of Definitions for all namespaces; defaults to that of the pod or the kubeconfig")
	f.StringVar(&o.DefaultWorkerTemplate, "default-worker-template", o.DefaultWorkerTemplate, "the worker template of TriggerServices that ask for none: namespace, one worker for all of a namespace, or dedicated, one for each")
	f.BoolVar(&o.GrantBumps, "grant-bumps", false, "give the TriggerServices of KubeVela's traits the right to bump their Application where KubeVela has placed them in another namespace, and to watch the ConfigMaps and Secrets that their component refers to; without KubeVela it has no effect")
	f.StringSliceVar(&o.BumpClusters, "bump-clusters", nil, "joined clusters whose ConfigMaps and Secrets bump the Applications that KubeVela has deployed there with the trait bump-on-change; requires --grant-bumps, and the namespace vela-kube-trigger")
	f.StringVar(&o.WorkerImage, "worker-image", "ghcr.io/kubevela/kube-trigger:"+version, "the image of workers whose template has none")
	f.BoolVar(&o.LeaderElect, "leader-elect", true, "wait until no other controller runs")
	f.StringVar(&o.MetricsAddr, "metrics-addr", "0", "the address of /metrics, such as :8080; 0 to serve none")
	f.BoolVar(&o.MetricsAuth, "metrics-auth", false, "answer on /metrics only callers with a token of a user who may get that path, as the API server says")
	f.StringVar(&o.HealthAddr, "health-addr", "0", "the address of /healthz and /readyz, such as :8081; 0 to serve none")
	f.BoolVar(&o.Lockdown.DefaultAccount, "lockdown-default-account", false, "allow TriggerServices no ServiceAccount but the default, kube-trigger")
	f.BoolVar(&o.Lockdown.NoClusters, "lockdown-no-clusters", false, "do not let triggers watch joined clusters, or act in them; workers get --cluster-access=none")
	f.BoolVar(&o.Lockdown.NoPrivateEgress, "lockdown-no-private-egress", false, "do not let actions connect to private networks; workers get --deny-private")
	f.StringSliceVar(&o.Lockdown.ForbiddenAccounts, "lockdown-forbidden-accounts", nil, "ServiceAccounts that TriggerServices must not run as: NAME for all namespaces, or NAMESPACE/NAME")
	f.IntVar(&o.Lockdown.MaxTriggers, "lockdown-max-triggers", 0, "the maximum number of triggers of a TriggerService; 0 for no limit but that of the API")
	f.IntVar(&o.Lockdown.MaxTriggerServices, "lockdown-max-trigger-services", 0, "the maximum number of TriggerServices of a namespace, of which the oldest are allowed; 0 for no limit")
	f.BoolVar(&o.Webhook.Enabled, "webhook", false, "serve the validating webhook, which rejects invalid TriggerServices when they are written")
	f.StringVar(&o.Webhook.Addr, "webhook-addr", ":9443", "the address of the validating webhook")
	f.StringVar(&o.Webhook.CertDir, "webhook-cert-dir", "", "a directory with the webhook's tls.crt and tls.key, which are reloaded when they change; by default the controller issues its own certificate, and has the API server trust it")
	f.StringVar(&o.Webhook.ClientCA, "webhook-client-ca", "", "a PEM file with the authorities of client certificates; the webhook answers only callers that present a certificate of one of them, and reads the file again when it changes; by default it answers everybody")
}

// checkCommand is the child process of controller.
func checkCommand() *cobra.Command {
	return childCommand(app.CheckServiceCommand, "Check a TriggerService for the controller", app.CheckService)
}
