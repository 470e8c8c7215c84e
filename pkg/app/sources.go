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
	"net/http"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/action/egress"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/application"
	"github.com/kubevela/kube-trigger/pkg/source/config"
	"github.com/kubevela/kube-trigger/pkg/source/cron"
	"github.com/kubevela/kube-trigger/pkg/source/k8sevent"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/pkg/source/velaql"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/pkg/velaql/query"
	"github.com/kubevela/kube-trigger/pkg/velaql/view"
)

// sources returns all sources by type.
func (c *clients) sources() source.Registry {
	views := c.velaql
	views.CompileView = c.compileView
	return source.Registry{
		application.Type: application.New(c.resource),
		config.Type:      config.New(c.resource),
		cron.Type:        cron.New(c.cron),
		k8sevent.Type:    k8sevent.New(c.resource),
		resource.Type:    resource.New(c.resource),
		velaql.Type:      velaql.New(views),
		webhook.Type:     webhook.New(c.webhook),
	}
}

// fetchWith returns the function by which webhooks connect to other hosts: those that
// actions may connect to.
func fetchWith(c *egress.Client) webhook.FetchFunc {
	return func(ctx context.Context, url string) (status int, body []byte, err error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return 0, nil, err
		}
		res, err := c.Do(req, nil, true)
		if err != nil {
			return 0, nil, err
		}
		return res.Status, res.Body, nil
	}
}

// compiler returns the compiler of triggers with these action templates.
func (c *clients) compiler(templates map[string]trigger.Template) trigger.Compiler {
	return trigger.Compiler{
		Sources: c.sources(), Actions: templates,
		Executor: c.executor, LoopDetector: c.loopDetector, CrashTracker: c.crashTracker, Progress: c.progress,
	}
}

// executor returns the executor of a trigger's calls: they write as the trigger's
// field manager, and the loop detector records what they write. It returns nil
// without clients.
func (c *clients) executor(t event.TriggerRef) provider.Executor {
	if c.newExecutor != nil {
		return c.newExecutor(t)
	}
	if c.client == nil {
		return nil
	}
	detector := c.loops.Detector(t)
	o := provider.Options{
		Client:    detector.Client(c.client),
		Namespace: t.Namespace,
		Egress:    c.egress,
		View:      view.Function(c.client),
		Causes:    detector.Call,
	}
	if c.access != multicluster.None {
		o.Clusters = func(ctx context.Context, cluster string) (client.Client, error) {
			joined, err := c.clusters.Connect(ctx, cluster)
			if err != nil {
				return nil, err
			}
			return detector.ClientIn(cluster, joined.Client), nil
		}
		o.ListClusters = c.clusters.Names
	}
	return provider.New(o)
}

// compileView compiles the view of a trigger's source. Crashes of its evaluation
// are tracked as those of a filter.
func (c *clients) compileView(t event.TriggerRef, q query.Query) (velaql.View, diag.List) {
	o := view.Options{Client: c.client, Executor: c.executor(t)}
	if c.crashes != nil {
		o.CrashTracker = func(text string) view.CrashTracker { return c.crashes.Subject("view of "+c.subject(t), text) }
	}
	return view.New(q, o)
}

// loopDetector returns the loop detector of a trigger; nil without clients.
func (c *clients) loopDetector(t event.TriggerRef) engine.LoopDetector {
	if c.loops == nil {
		return nil
	}
	return c.loops.Detector(t)
}

// crashTracker returns the crash tracker of a trigger with the given text; nil if
// crashes are not recorded.
func (c *clients) crashTracker(t event.TriggerRef, text string) engine.CrashTracker {
	if c.crashes == nil {
		return nil
	}
	return c.crashes.Subject(c.subject(t), text)
}

// subject identifies a trigger among those of the process.
func (c *clients) subject(t event.TriggerRef) string {
	if c.service == "" {
		return t.String()
	}
	return c.service + ": " + t.String()
}
