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

package app

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/egress"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/crashguard"
	"github.com/kubevela/kube-trigger/pkg/dynamicclient"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/loopguard"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/source/cron"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/pkg/source/velaql"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
	"github.com/kubevela/kube-trigger/pkg/store/cluster"
)

// clients are the clients of sources and actions, and the options of sources. The
// zero value has no clients, which suffices to check triggers.
type clients struct {
	namespace string
	client    client.Client
	loops     *loopguard.Tracker
	// service is the TriggerService; empty for a configuration.
	service string
	// crashes is nil if crashes of evaluations are not recorded.
	crashes  *crashguard.Tracker
	clusters *multicluster.Clusters
	access   multicluster.Access
	resource resource.Options
	cron     cron.Options
	webhook  webhook.Options
	velaql   velaql.Options
	egress   *egress.Client
	// newExecutor returns the executor of a trigger's calls. Defaults to one that executes
	// them with the clients.
	newExecutor func(event.TriggerRef) provider.Executor
	// progress returns what keeps the progress of a trigger's actions; nil without a store.
	progress func(event.TriggerRef) action.Progress
	// scheme has the kinds of a store in the cluster.
	scheme *runtime.Scheme
}

// newClients returns clients with the rights of the process, in the namespace of the
// kubeconfig, and their configuration. limiter limits their requests; nil for no limit.
func (o RunOptions) newClients(limiter flowcontrol.RateLimiter) (c clients, cfg *rest.Config, err error) {
	if cfg, c.namespace, err = o.restConfig(); err != nil {
		return c, nil, err
	}
	cfg.RateLimiter = limiter
	if c.egress, err = o.newEgressClient(); err != nil {
		return c, nil, err
	}
	if c.access, err = o.parseClusterAccess(); err != nil {
		return c, nil, err
	}
	return c, cfg, c.connect(cfg)
}

// newLimiter returns what limits the requests of triggers to the API server; nil for no limit.
func (o RunOptions) newLimiter() flowcontrol.RateLimiter {
	if o.KubeAPIQPS == 0 {
		return nil
	}
	burst := o.KubeAPIBurst
	if burst == 0 {
		burst = max(1, int(2*o.KubeAPIQPS))
	}
	return flowcontrol.NewTokenBucketRateLimiter(o.KubeAPIQPS, burst)
}

// newEgressClient returns the client of actions for everything but the API server.
func (o RunOptions) newEgressClient() (*egress.Client, error) {
	allow, err := egress.ParsePrefixes(o.AllowAddresses)
	if err != nil {
		return nil, InvalidError{fmt.Errorf("--allow-address: %w", err)}
	}
	deny, err := egress.ParsePrefixes(o.DenyAddresses)
	if err != nil {
		return nil, InvalidError{fmt.Errorf("--deny-address: %w", err)}
	}
	return egress.NewClient(egress.AddressPolicy{Allow: allow, Deny: deny, DenyPrivate: o.DenyPrivate}), nil
}

func (o RunOptions) parseClusterAccess() (multicluster.Access, error) {
	a, err := multicluster.ParseAccess(o.ClusterAccess)
	if err != nil {
		return "", InvalidError{fmt.Errorf("--cluster-access %w", err)}
	}
	return a, nil
}

// restConfig returns the configuration of clients of the API server, and the
// namespace of the kubeconfig or the pod.
func (o ClusterOptions) restConfig() (*rest.Config, string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	newLoader := func() clientcmd.ClientConfig {
		return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.Context})
	}
	loader := newLoader()
	cfg, err := loader.ClientConfig()
	if err != nil {
		return nil, "", fmt.Errorf("kubeconfig: %w", err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, "", fmt.Errorf("kubeconfig: %w", err)
	}
	cfg.UserAgent = "kube-trigger/" + o.Version
	readTokenAgain(cfg, newLoader)
	cfg.QPS = -1 // no client-side limit: the API server has priority and fairness
	return cfg, namespace, nil
}

// newScheme returns a scheme with the kinds of a store in the cluster.
func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	return scheme, cluster.AddToScheme(scheme)
}

// connect creates the clients. It makes no requests. A mapper of kinds, and watch streams, that
// are set are used.
func (c *clients) connect(cfg *rest.Config) error {
	httpClient, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return err
	}
	if c.resource.Mapper == nil {
		if c.resource.Mapper, err = apiutil.NewDynamicRESTMapper(cfg, httpClient); err != nil {
			return err
		}
	}
	if c.resource.Streams == nil {
		c.resource.Streams = &resource.Streams{}
	}
	c.resource.Server = cfg.Host
	c.resource.Clock, c.cron.Clock, c.webhook.Clock, c.velaql.Clock = clock.RealClock{}, clock.RealClock{}, clock.RealClock{}, clock.RealClock{}
	if c.resource.Client, err = dynamicclient.New(cfg, httpClient); err != nil {
		return err
	}
	if c.resource.Metadata, err = metadata.NewForConfigAndClient(cfg, httpClient); err != nil {
		return err
	}
	if c.loops == nil {
		c.loops = loopguard.NewTracker()
	}
	c.client, err = client.New(cfg, client.Options{HTTPClient: multicluster.Warnings(multicluster.RetryAfter(httpClient)), Mapper: c.resource.Mapper})
	if err != nil {
		return err
	}
	c.webhook.Client = c.client
	if c.egress != nil {
		c.webhook.Fetch = fetchWith(c.egress)
	}
	c.clusters, err = multicluster.New(cfg, httpClient, c.access, clock.RealClock{})
	c.resource.Clusters = c.clusters
	return err
}

// clientOf returns the client of a joined cluster, or of the API server if the
// cluster has no name.
func (c *clients) clientOf(ctx context.Context, cluster string) (client.Client, error) {
	if cluster == "" {
		return c.client, nil
	}
	joined, err := c.clusters.Connect(ctx, cluster)
	if err != nil {
		return nil, err
	}
	return joined.Client, nil
}

// refetch reads the object of an event whose data was too large to be stored and
// holds no more than the object's name. The data of a deletion stays as it is.
func (c *clients) refetch(ctx context.Context, ev event.Event) (event.Event, error) {
	if ev.Type == event.Delete {
		return ev, nil
	}
	stored := unstructured.Unstructured{Object: ev.Data}
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(stored.GetAPIVersion())
	o.SetKind(stored.GetKind())
	if o.GetKind() == "" || stored.GetName() == "" {
		return ev, errors.New("the event was too large to be stored, and names no object that can be read again")
	}
	from, err := c.clientOf(ctx, ev.Cluster)
	if err != nil {
		return ev, err
	}
	key := client.ObjectKeyFromObject(&stored)
	if err := from.Get(ctx, key, o); err != nil {
		return ev, fmt.Errorf("read %s %s: %w", o.GetKind(), key, err)
	}
	if o.GetUID() != stored.GetUID() {
		return ev, fmt.Errorf("read %s %s: the object of the event was replaced by another one", o.GetKind(), key)
	}
	o.SetManagedFields(nil)
	ev.Data = o.Object
	return ev, nil
}
