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
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/crashguard"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/source/application"
	"github.com/kubevela/kube-trigger/pkg/source/k8sevent"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/pkg/source/velaql"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/cluster"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/pkg/worker"
)

// How far the store in the cluster may be behind what is done: each write costs
// the API server one.
const (
	clusterSaveInterval = time.Second
	clusterSaveBatch    = 100
)

// runService runs the triggers of a TriggerService, as they change, until ctx ends.
// Of several workers one does, and the next takes over when it ends.
func (o *options) runService(ctx context.Context) error {
	name, err := o.serviceName()
	if err != nil {
		return err
	}
	cfg, _, err := o.clientConfig()
	if err != nil {
		return err
	}
	c := clients{namespace: name.Namespace, webhook: webhook.Options{Server: webhook.NewServer(o.WebhookAddr)}}
	if c.egress, err = o.newEgressClient(); err != nil {
		return err
	}
	if c.builtIn, c.scheme, err = known(); err != nil {
		return err
	}
	if c.access, err = o.parseClusterAccess(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	follower, err := worker.WatchConfig(ctx, cfg, name, clock.RealClock{})
	if err != nil {
		return err
	}
	return o.serveOne(ctx, cfg, c, follower)
}

// serveOne runs the triggers of the TriggerService that follower follows, as whom
// cfg says, until ctx ends.
func (o *options) serveOne(ctx context.Context, cfg *rest.Config, c clients, follower *worker.ConfigWatcher) error {
	if err := c.connect(cfg); err != nil {
		return err
	}
	first, err := follower.Next(ctx, worker.Config{})
	if err != nil {
		return ignoreCanceled(ctx, err)
	}
	m, err := o.openClusterStore(ctx, cfg, c, first.Service)
	if err != nil {
		return ignoreCanceled(ctx, err)
	}
	w := serviceWorker{options: o, clients: c, stores: m, follower: follower, first: first}
	err = m.runWith(ctx, func(ctx context.Context) error { return w.run(ctx, cfg) })
	if closing := m.close(); closing != nil {
		logr.FromContextOrDiscard(ctx).Info("store not closed: another worker waits until its Lease lapses", "reason", closing.Error())
	}
	if w.deleted { // and with it the store, and the right to write to it
		return nil
	}
	return err
}

// ignoreCanceled returns err, unless it is because ctx has ended: whoever stood by
// until then has done what it should.
func ignoreCanceled(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}

// known returns what serving a TriggerService takes that is the same for all of
// them: the actions that are built in, and the kinds.
func known() (map[string]trigger.Template, *runtime.Scheme, error) {
	builtIn, err := trigger.BuiltIn(actions.FS)
	if err != nil {
		return nil, nil, err
	}
	scheme := runtime.NewScheme()
	return builtIn, scheme, cluster.AddToScheme(scheme)
}

func (o *options) serviceName() (types.NamespacedName, error) {
	namespace, name, ok := strings.Cut(o.TriggerService, "/")
	if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
		return types.NamespacedName{}, invalid{fmt.Errorf("--trigger-service %q: must be NAMESPACE/NAME", o.TriggerService)}
	}
	if o.Config != "" {
		return types.NamespacedName{}, invalid{errors.New("--trigger-service and --config: only one of them can be given")}
	}
	return types.NamespacedName{Namespace: namespace, Name: name}, nil
}

// openClusterStore opens the store of ts, in its namespace, when no other worker has
// it open.
func (o *options) openClusterStore(ctx context.Context, cfg *rest.Config, c clients, ts *v1alpha1.TriggerService) (stores, error) {
	log := logr.FromContextOrDiscard(ctx)
	if o.PodName == "" {
		var err error
		if o.PodName, err = os.Hostname(); err != nil {
			return stores{}, err
		}
	}
	var m stores
	if o.StateDir != "" {
		var err error
		if m.crashes, err = crashguard.Open(filepath.Join(o.StateDir, "evaluations")); err != nil {
			return stores{}, err
		}
	}
	log.Info("waiting for other workers of the TriggerService to end")
	s, err := cluster.Open(ctx, cluster.Options{
		Config: cfg, Namespace: ts.Namespace, Owner: ts.Name, Identity: o.PodName,
		Scheme: c.scheme, Mapper: c.resource.Mapper,
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.TriggerServiceKind, Name: ts.Name, UID: ts.UID,
		}},
	})
	if err != nil {
		return stores{}, err
	}
	m.store, m.saver = s, store.NewSaver(s, store.SaverOptions{
		MaxDelay: clusterSaveInterval, BatchSize: clusterSaveBatch, GracePeriod: saveGrace, Clock: clock.RealClock{},
		OnError: o.onStoreError(log),
	})
	return m, nil
}

// serviceWorker is a worker that is the one to work.
type serviceWorker struct {
	*options
	clients  clients
	stores   stores
	follower *worker.ConfigWatcher
	first    worker.Config
	// deleted is set when the TriggerService is.
	deleted bool
}

// run runs one engine after the other: what the one has not done, the next one
// does, since it goes on from the same resume points.
func (w *serviceWorker) run(ctx context.Context, cfg *rest.Config) error {
	events, end, err := newEventRecorder(cfg, w.clients.scheme, w.first.Service.Namespace)
	if err != nil {
		return err
	}
	defer end()
	// Webhooks are taken while one engine takes the place of another.
	release := w.clients.webhook.Server.HoldRoutes()
	defer release(ctx)
	tells := func(sourceType string) bool {
		return slices.Contains([]string{resource.Type, application.Type, k8sevent.Type, velaql.Type}, sourceType)
	}
	status := worker.NewStatus(w.first.Service, clock.RealClock{}, tells)
	reporter := worker.Reporter{Client: w.clients.client, Events: events, Clock: clock.RealClock{}}
	reporting, stop := context.WithCancel(ctx)
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		reporter.Run(reporting, w.first.Service, status)
	}()
	defer func() {
		stop()
		<-reported
	}()
	for config := w.first; ; {
		if config.Service == nil { // this pod will be deleted, too
			w.deleted = true
			<-ctx.Done()
			return nil
		}
		if config.Service.UID != w.first.Service.UID {
			// Nothing that this worker remembers is the new one's.
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

// runUntilChanged runs config until there is another one, which it returns, or ctx ends.
func (w *serviceWorker) runUntilChanged(ctx context.Context, config worker.Config, status *worker.Status) (worker.Config, error) {
	running, stop := context.WithCancel(ctx)
	defer stop()
	var next worker.Config
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		defer stop()
		next, _ = w.follower.Next(running, config) // or ctx has ended
	}()
	err := w.runEngineFor(running, config, status)
	stop()
	<-followed
	if err != nil || ctx.Err() != nil {
		return worker.Config{}, err
	}
	if next.Service == nil {
		return next, nil
	}
	return next, w.stores.saver.Flush(ctx)
}

// runEngineFor runs the valid triggers of config until ctx ends.
func (w *serviceWorker) runEngineFor(ctx context.Context, config worker.Config, status *worker.Status) error {
	log := logr.FromContextOrDiscard(ctx)
	// Sources begin anew, where the store says.
	c := w.clients
	c.resource.OnStatus, c.resource.OnClusterStatus, c.velaql.OnStatus = status.ObserveWatch, status.ObserveClusters, status.ObserveWatch
	w.stores.configureSources(&c)
	templates, broken := trigger.AddActions(c.builtIn, config.Actions)
	for name, problems := range broken {
		log.Info("Action is broken", "action", name, "problems", problems.Error())
	}
	compiled := trigger.CompileService(trigger.Compiler{Sources: c.sources(), Actions: templates, Executor: c.executor}, config.Service, config.Reject)
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
		t.LoopDetector = c.loopDetector(t.Trigger.TriggerRef)
		valid = append(valid, t.Trigger)
	}
	c.webhook.Server.PruneRoutes(ctx, subscriptions(all))
	if err := w.stores.prune(ctx, all); err != nil {
		return err
	}
	e, err := engine.New(w.engine(w.stores, status), valid)
	if err != nil {
		return err
	}
	status.SetEngine(e)
	log.Info("starting", "triggerService", w.TriggerService, "generation", config.Service.Generation, "triggers", len(valid), "version", version)
	return w.runEngine(ctx, e, c, w.stores)
}

// newEventRecorder makes Kubernetes events. Client-go limits how many.
func newEventRecorder(cfg *rest.Config, scheme *runtime.Scheme, namespace string) (record.EventRecorder, func(), error) {
	client, err := typedcorev1.NewForConfig(cfg)
	if err != nil {
		return nil, nil, err
	}
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.Events(namespace)})
	return broadcaster.NewRecorder(scheme, corev1.EventSource{Component: "kube-trigger"}), broadcaster.Shutdown, nil
}
