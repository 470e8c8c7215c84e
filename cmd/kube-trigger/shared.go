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
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
	"github.com/kubevela/kube-trigger/pkg/worker"
)

const (
	// sharedName is the shared worker's name in Leases: that of the process that
	// works, and those of all stores. Since only one works, whichever it is need
	// not wait for what it finds in that name.
	sharedName = "kube-trigger-shared"
	// sharedLease is how long the stores are closed to workers of their own after
	// a crash. Each is renewed three times within it.
	sharedLease = 5 * time.Minute
	// sharedReplays is how often each store is asked for replays.
	sharedReplays = time.Minute
)

// sharedOptions are the flags of shared.
type sharedOptions struct{ managed }

func sharedCommand() *cobra.Command {
	var o sharedOptions
	cmd := &cobra.Command{
		Use:     "shared",
		Short:   "Run all TriggerServices whose worker template is shared",
		Long:    "Run all TriggerServices whose worker template is shared, each as the ServiceAccount kube-trigger of its namespace. Each flag can be given as an environment variable: --health-addr as HEALTH_ADDR.",
		Args:    noArguments,
		PreRunE: fromEnvironment,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.share(cmd) },
	}
	f := cmd.Flags()
	o.managedFlags(f, "where its Lease is")
	o.policyFlags(f)
	return cmd
}

// share runs the shared worker until the command's context ends.
func (o *sharedOptions) share(cmd *cobra.Command) error {
	if o.maxRetry < 0 {
		return invalid{fmt.Errorf("--max-retry %d: must be 0 or more", o.maxRetry)}
	}
	log, cfg, err := o.begin(cmd)
	if err != nil {
		return err
	}
	o.pod, o.lease, o.replays = sharedName, sharedLease, sharedReplays
	m, err := o.manager(log, cfg, ctrl.Options{
		Cache: cache.Options{ByObject: map[client.Object]cache.ByObject{
			&corev1alpha1.Definition{}: {Label: labels.SelectorFromSet(controller.Labels())},
		}},
		LeaderElection: true, LeaderElectionID: sharedName,
	})
	if err != nil {
		return err
	}
	out, err := o.outside()
	if err != nil {
		return err
	}
	builtIn, scheme, err := known()
	if err != nil {
		return err
	}
	access, err := o.clusterAccess()
	if err != nil {
		return err
	}
	pool := worker.Pool{
		Wants: controller.Shared,
		Clock: clock.RealClock{},
		Serve: func(ctx context.Context, name types.NamespacedName, f *worker.Follower) error {
			c := connection{namespace: name.Namespace, builtIn: builtIn, scheme: scheme, outbound: out, access: access, noWebhooks: true, webhooks: webhook.Options{Server: webhook.NewServer("")}}
			c.resources.Mapper = m.GetRESTMapper()
			return o.serveAs(ctx, cfg, c, name, f)
		},
	}
	err = m.Add(manager.RunnableFunc(func(ctx context.Context) error {
		return pool.Run(ctx, m.GetCache())
	}))
	if err != nil {
		return fmt.Errorf("start shared worker: %w", err)
	}
	log.Info("starting", "version", version, "namespace", o.namespace)
	return m.Start(cmd.Context())
}

// serveAs runs a TriggerService as the ServiceAccount of its namespace.
func (o *sharedOptions) serveAs(ctx context.Context, pool *rest.Config, c connection, name types.NamespacedName, f *worker.Follower) error {
	cfg, err := impersonating(pool, name.Namespace, controller.AccountName)
	if err != nil {
		return err
	}
	options := o.options
	options.service = name.String()
	return options.serveOne(ctx, cfg, c, f)
}

// impersonating returns cfg with the identity of a ServiceAccount in place of its
// own. There is always one: without it, what is meant for a user would be done
// with the rights of the shared worker.
func impersonating(cfg *rest.Config, namespace, account string) (*rest.Config, error) {
	if namespace == "" || account == "" {
		return nil, fmt.Errorf("act as ServiceAccount %q of namespace %q: it has no name", account, namespace)
	}
	as := rest.CopyConfig(cfg)
	as.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + namespace + ":" + account}
	return as, nil
}
