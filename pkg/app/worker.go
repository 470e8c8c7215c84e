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
	"strings"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/acceptance"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/pkg/worker"
)

// runService runs the triggers of a TriggerService, and follows its changes,
// until ctx ends. One of several workers runs at a time; another one takes over
// when it ends.
func (r *runner) runService(ctx context.Context) error {
	name, err := r.serviceName()
	if err != nil {
		return err
	}
	key, err := acceptance.ParseKey(r.ControllerKey)
	if err != nil {
		return InvalidError{fmt.Errorf("--controller-key %w", err)}
	}
	cfg, _, err := r.restConfig()
	if err != nil {
		return err
	}
	c := clients{namespace: name.Namespace, webhook: webhook.Options{Server: webhook.NewServer(r.WebhookAddr)}}
	if c.egress, err = r.newEgressClient(); err != nil {
		return err
	}
	builtIn, err := trigger.BuiltIn(actions.FS)
	if err != nil {
		return err
	}
	if c.scheme, err = newScheme(); err != nil {
		return err
	}
	if c.access, err = r.parseClusterAccess(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, shutdown, err := newEventRecorder(cfg, c.scheme, name.Namespace)
	if err != nil {
		return err
	}
	defer shutdown()
	log := logr.FromContextOrDiscard(ctx)
	watcher, err := worker.WatchConfig(ctx, cfg, name, worker.WatchOptions{Key: key, Clock: clock.RealClock{}, OnIgnored: func(ts *v1alpha1.TriggerService, reason string) {
		if reason == "" {
			return
		}
		log.Info("Accepted version is ignored", "triggerService", name.String(), "reason", reason)
		events.Event(ts, corev1.EventTypeWarning, worker.ReasonVersionIgnored, reason)
	}})
	if err != nil {
		return err
	}
	if err := c.connect(cfg); err != nil {
		return err
	}
	log.Info("waiting for the accepted version", "triggerService", name.String())
	first, err := watcher.Next(ctx, worker.Config{})
	if err != nil {
		return ignoreCanceled(ctx, err)
	}
	leader, err := r.elect(ctx, cfg, c, name.Namespace, trigger.Label(name.Name)+"-worker", ownerReference(first.Service))
	if err != nil {
		return ignoreCanceled(ctx, err)
	}
	defer func() { //nolint:contextcheck // the Lease is released even if ctx has ended
		if err := leader.Close(); err != nil {
			log.Info("Lease not released: another worker waits until it expires", "reason", err.Error())
		}
	}()
	s, err := r.openClusterStore(ctx, cfg, c, leader, first.Service)
	if err != nil {
		return ignoreCanceled(ctx, err)
	}
	w := serviceWorker{runner: r, builtIn: builtIn, clients: c, stores: s, watcher: watcher, first: first, events: events}
	err = s.runWith(ctx, w.run)
	if closeErr := s.close(); closeErr != nil {
		log.Info("Store not closed", "reason", closeErr.Error())
	}
	if w.deleted { // the store is deleted, too, and the right to write to it
		return nil
	}
	return err
}

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

// serviceWorker is the worker of a TriggerService that has the store open.
type serviceWorker struct {
	*runner

	builtIn map[string]trigger.Template
	clients clients
	stores  stores
	watcher *worker.ConfigWatcher
	first   worker.Config
	events  record.EventRecorder
	// deleted is set once the TriggerService is deleted.
	deleted bool
}

// run runs one engine per generation of the TriggerService. Each engine resumes
// where the one before has stopped.
func (w *serviceWorker) run(ctx context.Context) error {
	// Webhooks are accepted between two engines, too.
	release := w.clients.webhook.Server.HoldRoutes()
	defer release()
	registry := w.clients.sources()
	status := worker.NewStatus(w.first.Service, clock.RealClock{}, func(sourceType string) bool { return registry[sourceType].Status })
	status.SetIgnored(w.watcher.Ignored)
	w.clients.webhook.Server.OnRejected = func(rejected webhook.Rejection) {
		w.server.observeRejection(rejected)
		status.ObserveRejection(rejected.Trigger, rejected.Message, rejected.Time)
	}
	reporter := worker.Reporter{Client: w.clients.client, Events: w.events, Clock: clock.RealClock{}}
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
		if config.Service == nil { // the pod is about to be deleted, too
			w.deleted = true
			<-ctx.Done()
			return nil
		}
		if config.Service.UID != w.first.Service.UID {
			// The store belongs to the deleted one.
			return errors.New("the TriggerService was replaced by another one of the same name")
		}
		next, err := w.runUntilChanged(ctx, config, status)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		config = next
	}
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
		next, _ = w.watcher.Next(runCtx, config) // fails only if the context has ended
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

// runGeneration runs the valid triggers of config until ctx ends.
func (w *serviceWorker) runGeneration(ctx context.Context, config worker.Config, status *worker.Status) error {
	log := logr.FromContextOrDiscard(ctx)
	// Each generation has sources of its own, which resume from the store.
	c := w.clients
	c.resource.OnStatus, c.resource.OnClusterStatus, c.velaql.OnStatus = status.ObserveWatch, status.ObserveClusters, status.ObserveWatch
	w.stores.configureSources(&c)
	templates, invalid := trigger.AddActions(w.builtIn, config.Actions)
	for name, problems := range invalid {
		log.Info("Action is invalid", "action", name, "problems", problems.Error())
	}
	compiled := trigger.CompileService(c.compiler(templates), config.Service, config.Reject)
	status.SetTriggers(config, compiled)
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
	e, err := engine.New(w.engineOptions(w.stores, status), valid)
	if err != nil {
		return err
	}
	status.SetEngine(e)
	log.Info("starting", "triggerService", w.TriggerService, "generation", config.Service.Generation, "triggers", len(valid), "version", w.Version)
	return w.runEngine(ctx, e, c, w.stores)
}

// newEventRecorder returns a recorder of Kubernetes events in a namespace, which
// client-go limits in rate, and the function that stops it.
func newEventRecorder(cfg *rest.Config, scheme *runtime.Scheme, namespace string) (record.EventRecorder, func(), error) {
	client, err := typedcorev1.NewForConfig(cfg)
	if err != nil {
		return nil, nil, err
	}
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.Events(namespace)})
	return broadcaster.NewRecorder(scheme, corev1.EventSource{Component: "kube-trigger"}), broadcaster.Shutdown, nil
}
