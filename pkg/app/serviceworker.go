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
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/crashguard"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/sleep"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/pkg/worker"
)

// serviceName parses TriggerService.
func (o StoreOptions) serviceName() (types.NamespacedName, error) {
	namespace, name, ok := strings.Cut(o.TriggerService, "/")
	if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
		return types.NamespacedName{}, InvalidError{fmt.Errorf("--trigger-service %q: must be NAMESPACE/NAME", o.TriggerService)}
	}
	if o.Config != "" {
		return types.NamespacedName{}, InvalidError{errors.New("--trigger-service and --config: only one of them can be given")}
	}
	return types.NamespacedName{Namespace: namespace, Name: name}, nil
}

// serviceWorker runs a TriggerService while it is assigned to the process.
type serviceWorker struct {
	*runner

	process *workerProcess
	watcher *worker.ConfigWatcher
	first   worker.Config
	stores  stores
	// clients act as the ServiceAccount account.
	clients clients
	account string
	// limiter limits their requests; nil for no limit.
	limiter flowcontrol.RateLimiter
}

// run runs one engine per configuration of the TriggerService, until ctx ends. Each engine
// resumes where the one before has stopped.
func (w *serviceWorker) run(ctx context.Context) error {
	w.clients = clients{
		namespace: w.watcher.Name.Namespace, service: w.watcher.Name.Name, scheme: w.process.clients.scheme,
		access: w.process.clients.access, egress: w.process.clients.egress, crashes: w.process.clients.crashes,
	}
	w.clients.resource.Mapper, w.clients.resource.Streams = w.process.clients.resource.Mapper, w.process.clients.resource.Streams
	server := webhook.NewServer(webhookAddress(w.WebhookAddr, w.first.WebhookPort))
	w.clients.webhook.Server = server
	// Webhooks are accepted between two engines, too.
	defer server.HoldRoutes()()
	registry := w.clients.sources()
	status := worker.NewStatus(w.first.Service, clock.RealClock{}, func(sourceType string) bool { return registry[sourceType].Status })
	status.SetIgnored(w.watcher.Ignored)
	status.SetStoredDeadLetters(func() int { return w.process.deadLetters.Count(w.watcher.Name.Name) })
	server.OnRejected = func(rejected webhook.Rejection) {
		w.monitor.observeRejection(rejected)
		status.ObserveRejection(rejected.Trigger, rejected.Message, rejected.Time)
	}
	reporter := worker.Reporter{Client: w.process.clients.client, Events: w.process.events, Clock: clock.RealClock{}}
	reportCtx, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		reporter.Run(reportCtx, w.first.Service, status)
	}()
	defer func() {
		stop()
		<-done
	}()
	for config := w.first; ; {
		next, err := w.runUntilChanged(ctx, config, status)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if next.Service == nil { // ctx ends
			<-ctx.Done()
			return nil
		}
		config = next
	}
}

// maxDeaths is the number of unexplained crashes of the worker of a namespace after which it
// does not run the TriggerServices any more that were active.
const maxDeaths = 2

// activityInterval is the time between two records of whether a TriggerService is active.
const activityInterval = 250 * time.Millisecond

// crashGroup returns the tracker of the unexplained crashes of a generation; nil if the process
// runs no other TriggerService, or records no crashes.
func (w *serviceWorker) crashGroup(config worker.Config) *crashguard.GroupTracker {
	if !config.Shared || w.clients.crashes == nil {
		return nil
	}
	return w.clients.crashes.Group(fmt.Sprintf("%s %d", config.Service.UID, config.Service.Generation))
}

// recordActivity records whether e has events in progress, until stop is called: e has them
// after ctx has ended, too.
func recordActivity(ctx context.Context, e *engine.Engine, group *crashguard.GroupTracker) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sleep.For(ctx, clock.RealClock{}, activityInterval) {
			group.SetActive(slices.ContainsFunc(slices.Collect(maps.Values(e.Backlogs())), func(b engine.Backlog) bool { return b.Events > 0 }))
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// actAs sets the clients of the TriggerService to those of a ServiceAccount of its
// namespace.
func (w *serviceWorker) actAs(account string) error {
	if account == w.account {
		return nil
	}
	cfg := rest.CopyConfig(w.process.config)
	// The API server adds the groups of the ServiceAccount.
	cfg.Impersonate = rest.ImpersonationConfig{UserName: trigger.UserName(w.clients.namespace, account)}
	if w.limiter == nil {
		w.limiter = w.newLimiter()
	}
	cfg.RateLimiter = w.limiter
	if err := w.clients.connect(cfg); err != nil {
		return err
	}
	w.account, w.clients.resource.Account = account, cfg.Impersonate.UserName
	return nil
}

// runUntilChanged runs config until it changes, and returns the next one, or until
// ctx ends.
func (w *serviceWorker) runUntilChanged(ctx context.Context, config worker.Config, status *worker.Status) (worker.Config, error) {
	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	var next worker.Config
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer stop()
		next, _ = w.watcher.Next(runCtx, config) // the TriggerService may be deleted
	}()
	err := w.runGeneration(runCtx, config, status)
	stop()
	<-done
	if err != nil || ctx.Err() != nil {
		return worker.Config{}, err
	}
	if next.Service == nil {
		return next, nil
	}
	return next, w.stores.saver.Flush(ctx)
}

// runGeneration runs the valid triggers of config until ctx ends. It runs none while the
// ServiceAccount that they act as does not exist.
func (w *serviceWorker) runGeneration(ctx context.Context, config worker.Config, status *worker.Status) error {
	log := logr.FromContextOrDiscard(ctx).WithValues("triggerService", w.watcher.Name.String())
	ctx = logr.NewContext(ctx, log)
	if err := w.actAs(trigger.Account(config.Service)); err != nil {
		return err
	}
	// Each generation has sources of its own, which resume from the store.
	c := w.clients
	if app := trigger.ApplicationOf(config.Service); app.Name != "" {
		c.resource.Application = app.Namespace + "/" + app.Name
	}
	c.resource.OnStatus, c.resource.OnClusterStatus, c.velaql.OnStatus = status.ObserveWatch, status.ObserveClusters, status.ObserveWatch
	w.stores.configureSources(&c)
	templates, invalid := trigger.AddActions(w.process.builtIn, config.Actions, config.InvalidActions)
	for name, problems := range invalid {
		log.Info("Action is invalid", "action", name, "problems", problems.Error())
	}
	compiler := c.compiler(templates)
	compiler.Checks.WarnOnly = true // it has been accepted
	compiler.Concurrency = runtime.GOMAXPROCS(0)
	compiled := trigger.CompileService(compiler, config.Service, config.Reject)
	group := w.crashGroup(config)
	if group != nil {
		defer group.Release()
		if group.Deaths() >= maxDeaths {
			status.Suspect(config.Service.Generation)
		}
	}
	status.SetTriggers(config, compiled)
	if status.Blocked() {
		log.Info("no trigger runs; see the status", "generation", config.Service.Generation)
		c.webhook.Server.PruneRoutes(nil)
		<-ctx.Done()
		return nil
	}
	var valid, all []engine.Trigger
	for _, t := range compiled {
		if t.Subscription != nil {
			all = append(all, t.Trigger)
		}
		if len(t.Problems) > 0 {
			log.Info("Trigger is invalid", "trigger", t.String(), "problems", t.Problems.Error())
			continue
		}
		valid = append(valid, t.Trigger)
	}
	c.webhook.Server.PruneRoutes(subscriptions(all))
	if err := w.stores.prune(ctx, all, c.sources()); err != nil {
		return err
	}
	o := w.engineOptions(w.stores, status)
	o.QueueBytes /= w.process.queueShares()
	e, err := engine.New(o, valid)
	if err != nil {
		return err
	}
	status.SetEngine(e)
	if group != nil {
		defer recordActivity(ctx, e, group)()
	}
	log.Info("starting", "generation", config.Service.Generation, "triggers", len(valid), "serviceAccount", w.account, "version", w.Version)
	return w.runEngine(ctx, e, valid, c, w.stores)
}
