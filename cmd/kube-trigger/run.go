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

func runCommand() *cobra.Command {
	o := app.DefaultRunOptions()
	var log logFlags
	cmd := &cobra.Command{
		Use:     "run -c FILE|DIR",
		Short:   "Run triggers",
		Example: "  # Run the triggers of a file, with the current context of the kubeconfig.\n  kube-trigger run -c config.yaml\n\n  # Run those of a directory with own actions, and say why events are filtered.\n  kube-trigger run -c triggers/ --actions-dir actions --log-level debug",
		Long:    "Run triggers. Each flag can be given as an environment variable: --log-level as LOG_LEVEL.",
		Args:    noArgs,
		PreRunE: flagsFromEnv,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := log.setLogger(cmd); err != nil {
				return err
			}
			return app.Run(cmd.Context(), o)
		},
	}
	runFlags(cmd.Flags(), &o, &log)
	return cmd
}

// runFlags adds the flags of run. Their defaults are those in o.
func runFlags(f *pflag.FlagSet, o *app.RunOptions, log *logFlags) {
	configFlags(f, &o.Config, &o.ActionsDir)
	clusterFlags(f, &o.ClusterOptions)
	log.add(f)
	storeFlags(f, &o.StoreOptions)
	engineFlags(f, o)
	journalFlags(f, &o.JournalOptions, "journal-size")
	f.BoolVar(&o.AdoptStore, "adopt-store", o.AdoptStore, "take over a store of another configuration, and drop the events that are not done there")
	f.StringVar(&o.From, "from", o.From, "resume: continue with the events since the last run; now: skip them")
	f.StringVar(&o.WorkerNamespace, "worker-namespace", o.WorkerNamespace, "run the TriggerServices of this namespace that the controller has assigned to its worker, in place of a file")
	f.StringVar(&o.ControllerKey, "controller-key", o.ControllerKey, "the public key of the controller, with which a worker verifies what it runs; the controller sets it")
	f.StringVar(&o.StateDir, "state-dir", o.StateDir, "a directory that outlives the process, where a worker records evaluations that crash it (default: the shared memory of the pod, /dev/shm)")
	f.StringVar(&o.PodName, "pod-name", o.PodName, "the identity of a worker; defaults to the host name")
	f.Var((*seconds)(&o.LeaseDuration), "lease-duration", "how long after a crash of a worker no other worker takes over, in whole seconds; the worker renews its Lease three times in that time")
	f.StringVar(&o.MetricsAddr, "metrics-addr", o.MetricsAddr, "the address of /metrics, /healthz, /readyz and /debug/decisions, such as :8080; by default they are not served")
	f.BoolVar(&o.MetricsAuth, "metrics-auth", o.MetricsAuth, "answer on /metrics only callers with a token of a user who may get that path, as the API server says")
	f.StringVar(&o.WebhookAddr, "webhook-addr", o.WebhookAddr, "the address of webhooks; it is bound only while a trigger has one")
}

// engineFlags adds the flags about the execution of triggers.
func engineFlags(f *pflag.FlagSet, o *app.RunOptions) {
	f.Var((*positive)(&o.Workers), "workers", "how many objects each trigger acts on concurrently")
	f.Var((*positive)(&o.QueueSize), "queue-size", "how many events each trigger accepts before its source has to wait")
	f.Var((*quantity)(&o.QueueBytes), "queue-bytes", "the memory for the data of waiting events, such as 64Mi, which all triggers share; what exceeds it is read again when its turn comes, or waits at the source; defaults to a quarter of the memory limit, or 64Mi without one")
	f.Var((*seconds)(&o.Timeout), "timeout", "the timeout of one attempt of an action")
	f.IntVar(&o.MaxRetry, "max-retry", o.MaxRetry, "how often a failed action is retried")
	f.Var((*seconds)(&o.RetryDelay), "retry-delay", "the delay before the first retry; it doubles with each retry")
	f.Var((*seconds)(&o.ShutdownGrace), "shutdown-grace", "how long running actions may take to finish when the process gets SIGTERM")
	f.BoolVar(&o.FailFast, "fail-fast", o.FailFast, "exit when a source fails, instead of restarting it")
	f.StringSliceVar(&o.AllowAddresses, "allow-address", nil, "addresses and prefixes that actions may connect to although they are this machine's, link-local, or a cloud's metadata service, or --deny-private is set")
	f.StringSliceVar(&o.DenyAddresses, "deny-address", nil, "addresses and prefixes that actions may not connect to, also if --allow-address lists them")
	f.BoolVar(&o.DenyPrivate, "deny-private", o.DenyPrivate, "do not let actions connect to private networks (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, fc00::/7), except what --allow-address lists")
	f.Float32Var(&o.KubeAPIQPS, "kube-api-qps", o.KubeAPIQPS, "how many requests to the API server the triggers of one TriggerService, or of the configuration, may send per second; 0 for no limit")
	f.IntVar(&o.KubeAPIBurst, "kube-api-burst", o.KubeAPIBurst, "how many of these requests may be sent at once; 0 for twice --kube-api-qps")
	f.StringVar(&o.ClusterAccess, "cluster-access", o.ClusterAccess, "how joined clusters are reached: gateway, through the API of cluster-gateway; secret, with the Secrets that join them; auto, gateway if it is installed, else secret; none, not at all")
}
