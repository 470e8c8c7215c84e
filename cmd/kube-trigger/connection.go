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

// connection is how sources and actions reach Kubernetes. The zero value reaches
// nothing, which is enough to check triggers.
type connection struct {
	namespace string
	client    client.Client
	writes    *loopguard.Log
	// box knows which filters ended earlier processes; nil where nothing does.
	box       *crashguard.Box
	joined    *multicluster.Clusters
	access    multicluster.Access
	resources resource.Options
	schedules cron.Options
	webhooks  webhook.Options
	views     velaql.Options
	outbound  *egress.Client
	// builtIn are the actions that are there without a template.
	builtIn map[string]trigger.Template
	// scheme has the kinds of the controller.
	scheme *runtime.Scheme
}

func (o *options) connect() (connection, error) {
	var c connection
	cfg, namespace, err := o.clientConfig()
	if err != nil {
		return c, err
	}
	c.namespace = namespace
	now := o.from == fromNow
	c.resources.FromNow, c.schedules.FromNow, c.webhooks.FromNow, c.views.FromNow = now, now, now, now
	c.webhooks.Server = webhook.NewServer(o.webhookAddr)
	if c.outbound, err = o.outside(); err != nil {
		return c, err
	}
	if c.access, err = o.clusterAccess(); err != nil {
		return c, err
	}
	return c, c.connect(cfg)
}

// outside returns how actions connect to what is not the API server.
func (o *options) outside() (*egress.Client, error) {
	allow, err := egress.ParseAllow(o.allow)
	if err != nil {
		return nil, invalid{fmt.Errorf("--allow-address: %w", err)}
	}
	return egress.NewClient(egress.Guard{Allow: allow}), nil
}

// clusterAccess returns how joined clusters are reached.
func (o *options) clusterAccess() (multicluster.Access, error) {
	a, err := multicluster.ParseAccess(o.access)
	if err != nil {
		return "", invalid{fmt.Errorf("--cluster-access %w", err)}
	}
	return a, nil
}

// clientConfig returns how to reach the API server, and the namespace that goes
// with it.
func (o *options) clientConfig() (*rest.Config, string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.context})
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

func (c *connection) connect(cfg *rest.Config) error {
	httpClient, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return err
	}
	if c.resources.Mapper == nil {
		if c.resources.Mapper, err = apiutil.NewDynamicRESTMapper(cfg, httpClient); err != nil {
			return err
		}
	}
	c.resources.Server = cfg.Host
	c.resources.Clock, c.schedules.Clock, c.webhooks.Clock, c.views.Clock = clock.RealClock{}, clock.RealClock{}, clock.RealClock{}, clock.RealClock{}
	if c.resources.Client, err = dynamic.NewForConfigAndClient(cfg, httpClient); err != nil {
		return err
	}
	if c.resources.Metadata, err = metadata.NewForConfigAndClient(cfg, httpClient); err != nil {
		return err
	}
	c.writes = loopguard.NewLog()
	c.client, err = client.New(cfg, client.Options{HTTPClient: multicluster.RetryAfter(httpClient), Mapper: c.resources.Mapper})
	c.webhooks.Client = c.client
	if err != nil {
		return err
	}
	c.joined, err = multicluster.New(cfg, httpClient, c.access, clock.RealClock{})
	c.resources.Clusters = c.joined
	return err
}

func (c *connection) sources() source.Registry {
	views := c.views
	views.Views = c.view
	return source.Registry{
		application.Type: application.New(c.resources),
		k8sevent.Type:    k8sevent.New(c.resources),
		cron.Type:        cron.New(c.schedules),
		resource.Type:    resource.New(c.resources),
		velaql.Type:      velaql.New(views),
		webhook.Type:     webhook.New(c.webhooks),
	}
}

// executor executes provider calls as the trigger's own field manager, and
// remembers what they write.
func (c *connection) executor(t event.Trigger) provider.Executor {
	if c.client == nil {
		return nil
	}
	writer := c.writes.Of(t).Client(client.WithFieldOwner(c.client, t.FieldManager()))
	next := provider.New(provider.Options{
		Client: writer, Namespace: t.Namespace, Outbound: c.outbound,
		Clusters: func(ctx context.Context, cluster string) (client.Client, error) {
			joined, err := c.joined.Connect(ctx, cluster)
			if err != nil {
				return nil, err
			}
			return c.writes.Of(t).ClientIn(cluster, client.WithFieldOwner(joined.Client, t.FieldManager())), nil
		},
	})
	return view.Executor(next, c.client)
}

// view compiles what a trigger's source asks for. What it ends of earlier processes
// is known as that of filters is.
func (c *connection) view(t event.Trigger, q query.Query) (velaql.View, diag.List) {
	o := view.Options{Client: c.client, Executor: c.executor(t)}
	if c.box != nil {
		o.Witness = func(text string) view.Witness { return c.box.Of("view of "+t.String(), text) }
	}
	return view.New(q, o)
}

// guard knows what the trigger's actions have written.
func (c *connection) guard(t event.Trigger) engine.Guard {
	if c.writes == nil {
		return nil
	}
	return c.writes.Of(t)
}

// complete returns an event whose data is no more than its object's name with the
// object as it is now. A deletion has no more.
func (c *connection) complete(ctx context.Context, ev event.Event) (event.Event, error) {
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
		joined, err := c.joined.Connect(ctx, ev.Cluster)
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

// witness knows what the filter of a trigger did to earlier processes.
func (c *connection) witness(t event.Trigger, filter string) engine.Witness {
	if c.box == nil {
		return nil
	}
	return c.box.Of(t.String(), filter)
}
