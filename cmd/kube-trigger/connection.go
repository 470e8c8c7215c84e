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
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/kubevela/kube-trigger/pkg/action/egress"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/crashguard"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/loopguard"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/application"
	"github.com/kubevela/kube-trigger/pkg/source/cron"
	"github.com/kubevela/kube-trigger/pkg/source/k8sevent"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/pkg/source/velaql"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/pkg/velaql/query"
	"github.com/kubevela/kube-trigger/pkg/velaql/view"
)

// clients is how sources and actions reach Kubernetes. The zero value reaches
// nothing, which is enough to check triggers.
type clients struct {
	namespace string
	client    client.Client
	loops     *loopguard.Tracker
	// crashes knows which filters ended earlier processes; nil where nothing does.
	crashes  *crashguard.Tracker
	clusters *multicluster.Clusters
	access   multicluster.Access
	resource resource.Options
	cron     cron.Options
	webhook  webhook.Options
	velaql   velaql.Options
	egress   *egress.Client
	// builtIn are the actions that are there without a template.
	builtIn map[string]trigger.Template
	// scheme has the kinds of the controller.
	scheme *runtime.Scheme
}

func (o *options) connect() (clients, error) {
	var c clients
	cfg, namespace, err := o.clientConfig()
	if err != nil {
		return c, err
	}
	c.namespace = namespace
	now := o.From == fromNow
	c.resource.FromNow, c.cron.FromNow, c.webhook.FromNow, c.velaql.FromNow = now, now, now, now
	c.webhook.Server = webhook.NewServer(o.WebhookAddr)
	if c.egress, err = o.newEgressClient(); err != nil {
		return c, err
	}
	if c.access, err = o.parseClusterAccess(); err != nil {
		return c, err
	}
	return c, c.connect(cfg)
}

// newEgressClient returns how actions connect to what is not the API server.
func (o *options) newEgressClient() (*egress.Client, error) {
	allow, err := egress.ParseAllow(o.AllowAddresses)
	if err != nil {
		return nil, invalid{fmt.Errorf("--allow-address: %w", err)}
	}
	return egress.NewClient(egress.AddressPolicy{Allow: allow}), nil
}

// parseClusterAccess returns how joined clusters are reached.
func (o *options) parseClusterAccess() (multicluster.Access, error) {
	a, err := multicluster.ParseAccess(o.ClusterAccess)
	if err != nil {
		return "", invalid{fmt.Errorf("--cluster-access %w", err)}
	}
	return a, nil
}

// clientConfig returns how to reach the API server, and the namespace that goes
// with it.
func (o *options) clientConfig() (*rest.Config, string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.Context})
	cfg, err := loader.ClientConfig()
	if err != nil {
		return nil, "", fmt.Errorf("kubeconfig: %w", err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, "", fmt.Errorf("kubeconfig: %w", err)
	}
	cfg.UserAgent = "kube-trigger/" + version
	cfg.QPS = -1 // the API server's own priority and fairness is the limit
	return cfg, namespace, nil
}

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
	c.resource.Server = cfg.Host
	c.resource.Clock, c.cron.Clock, c.webhook.Clock, c.velaql.Clock = clock.RealClock{}, clock.RealClock{}, clock.RealClock{}, clock.RealClock{}
	if c.resource.Client, err = dynamic.NewForConfigAndClient(cfg, httpClient); err != nil {
		return err
	}
	if c.resource.Metadata, err = metadata.NewForConfigAndClient(cfg, httpClient); err != nil {
		return err
	}
	c.loops = loopguard.NewTracker()
	c.client, err = client.New(cfg, client.Options{HTTPClient: multicluster.RetryAfter(httpClient), Mapper: c.resource.Mapper})
	c.webhook.Client = c.client
	if err != nil {
		return err
	}
	c.clusters, err = multicluster.New(cfg, httpClient, c.access, clock.RealClock{})
	c.resource.Clusters = c.clusters
	return err
}

func (c *clients) sources() source.Registry {
	views := c.velaql
	views.CompileView = c.view
	return source.Registry{
		application.Type: application.New(c.resource),
		k8sevent.Type:    k8sevent.New(c.resource),
		cron.Type:        cron.New(c.cron),
		resource.Type:    resource.New(c.resource),
		velaql.Type:      velaql.New(views),
		webhook.Type:     webhook.New(c.webhook),
	}
}

// executor executes provider calls as the trigger's own field manager, and
// remembers what they write.
func (c *clients) executor(t event.TriggerRef) provider.Executor {
	if c.client == nil {
		return nil
	}
	writer := c.loops.Detector(t).Client(client.WithFieldOwner(c.client, t.FieldManager()))
	next := provider.New(provider.Options{
		Client: writer, Namespace: t.Namespace, Egress: c.egress,
		Clusters: func(ctx context.Context, cluster string) (client.Client, error) {
			joined, err := c.clusters.Connect(ctx, cluster)
			if err != nil {
				return nil, err
			}
			return c.loops.Detector(t).ClientIn(cluster, client.WithFieldOwner(joined.Client, t.FieldManager())), nil
		},
	})
	return view.Executor(next, c.client)
}

// view compiles what a trigger's source asks for. What it ends of earlier processes
// is known as that of filters is.
func (c *clients) view(t event.TriggerRef, q query.Query) (velaql.View, diag.List) {
	o := view.Options{Client: c.client, Executor: c.executor(t)}
	if c.crashes != nil {
		o.CrashTracker = func(text string) view.CrashTracker { return c.crashes.Subject("view of "+t.String(), text) }
	}
	return view.New(q, o)
}

// loopDetector knows what the trigger's actions have written.
func (c *clients) loopDetector(t event.TriggerRef) engine.LoopDetector {
	if c.loops == nil {
		return nil
	}
	return c.loops.Detector(t)
}

// refetch returns an event whose data is no more than its object's name with the
// object as it is now. A deletion has no more.
func (c *clients) refetch(ctx context.Context, ev event.Event) (event.Event, error) {
	if ev.Type == event.Delete {
		return ev, nil
	}
	named := unstructured.Unstructured{Object: ev.Data}
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(named.GetAPIVersion())
	o.SetKind(named.GetKind())
	if o.GetKind() == "" || named.GetName() == "" {
		return ev, errors.New("the event was too large to be kept, and is not about an object that can be read again")
	}
	in := c.client
	if ev.Cluster != "" {
		joined, err := c.clusters.Connect(ctx, ev.Cluster)
		if err != nil {
			return ev, err
		}
		in = joined.Client
	}
	key := client.ObjectKeyFromObject(&named)
	if err := in.Get(ctx, key, o); err != nil {
		return ev, fmt.Errorf("read %s %s: %w", o.GetKind(), key, err)
	}
	if o.GetUID() != named.GetUID() {
		return ev, fmt.Errorf("read %s %s: it is another object than the one of the event", o.GetKind(), key)
	}
	o.SetManagedFields(nil)
	ev.Data = o.Object
	return ev, nil
}

// crashTracker knows what the filter of a trigger did to earlier processes.
func (c *clients) crashTracker(t event.TriggerRef, filter string) engine.CrashTracker {
	if c.crashes == nil {
		return nil
	}
	return c.crashes.Subject(t.String(), filter)
}
