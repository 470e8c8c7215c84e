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
	saveEveryInCluster = time.Second
	saveAtInCluster    = 100
)

// serve runs the triggers of a TriggerService, as they change, until ctx ends.
// Of several workers one does, and the next takes over when it ends.
func (o *options) serve(ctx context.Context) error {
	name, err := o.serviceName()
	if err != nil {
		return err
	}
	cfg, _, err := o.clientConfig()
	if err != nil {
		return err
	}
	c := connection{namespace: name.Namespace, webhooks: webhook.Options{Server: webhook.NewServer(o.webhookAddr)}}
	if c.outbound, err = o.outside(); err != nil {
		return err
	}
	if c.builtIn, c.scheme, err = known(); err != nil {
		return err
	}
	if c.access, err = o.clusterAccess(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	follower, err := worker.Follow(ctx, cfg, name, clock.RealClock{})
	if err != nil {
		return err
	}
	return o.serveOne(ctx, cfg, c, follower)
}

// serveOne runs the triggers of the TriggerService that follower follows, as whom
// cfg says, until ctx ends.
func (o *options) serveOne(ctx context.Context, cfg *rest.Config, c connection, follower *worker.Follower) error {
	if err := c.connect(cfg); err != nil {
		return err
	}
	first, err := follower.Other(ctx, worker.Config{})
	if err != nil {
		return unlessEnded(ctx, err)
	}
	m, err := o.rememberIn(ctx, cfg, c, first.Service)
	if err != nil {
		return unlessEnded(ctx, err)
	}
	w := serving{options: o, connection: c, memory: m, follower: follower, first: first}
	err = m.around(ctx, func(ctx context.Context) error { return w.run(ctx, cfg) })
	if closing := m.close(); closing != nil {
		logr.FromContextOrDiscard(ctx).Info("store not closed: another worker waits until its Lease lapses", "reason", closing.Error())
	}
	if w.deleted { // and with it the store, and the right to write to it
		return nil
	}
	return err
}

// unlessEnded returns err, unless it is because ctx has ended: whoever stood by
// until then has done what it should.
func unlessEnded(ctx context.Context, err error) error {
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
	namespace, name, ok := strings.Cut(o.service, "/")
	if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
		return types.NamespacedName{}, invalid{fmt.Errorf("--trigger-service %q: must be NAMESPACE/NAME", o.service)}
	}
	if o.config != "" {
		return types.NamespacedName{}, invalid{errors.New("--trigger-service and --config: only one of them can be given")}
	}
	return types.NamespacedName{Namespace: namespace, Name: name}, nil
}

// rememberIn opens the store of ts, in its namespace, when no other worker has
// it open.
func (o *options) rememberIn(ctx context.Context, cfg *rest.Config, c connection, ts *v1alpha1.TriggerService) (memory, error) {
	log := logr.FromContextOrDiscard(ctx)
	if o.pod == "" {
		var err error
		if o.pod, err = os.Hostname(); err != nil {
			return memory{}, err
		}
	}
	var m memory
	if o.stateDir != "" {
		var err error
		if m.box, err = crashguard.Open(filepath.Join(o.stateDir, "evaluations")); err != nil {
			return memory{}, err
		}
	}
	log.Info("waiting for other workers of the TriggerService to end")
	s, err := cluster.Open(ctx, cluster.Options{
		Config: cfg, Namespace: ts.Namespace, Owner: ts.Name, Identity: o.pod,
		Scheme: c.scheme, Mapper: c.resources.Mapper,
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.TriggerServiceKind, Name: ts.Name, UID: ts.UID,
		}},
	})
	if err != nil {
		return memory{}, err
	}
	m.store, m.saver = s, store.NewSaver(s, store.SaverOptions{
		Every: saveEveryInCluster, Changes: saveAtInCluster, Grace: saveGrace, Clock: clock.RealClock{},
		OnError: o.storeFailed(log),
	})
	return m, nil
}

// serving is a worker that is the one to work.
type serving struct {
	*options
	connection connection
	memory     memory
	follower   *worker.Follower
	first      worker.Config
	// deleted is set when the TriggerService is.
	deleted bool
}

// run runs one engine after the other: what the one has not done, the next one
// does, since it goes on from the same resume points.
func (w *serving) run(ctx context.Context, cfg *rest.Config) error {
	events, end, err := recorder(cfg, w.connection.scheme, w.first.Service.Namespace)
	if err != nil {
		return err
	}
	defer end()
	// Webhooks are taken while one engine takes the place of another.
	release := w.connection.webhooks.Server.Hold()
	defer release(ctx)
	tells := func(sourceType string) bool {
		return slices.Contains([]string{resource.Type, application.Type, k8sevent.Type, velaql.Type}, sourceType)
	}
	status := worker.NewStatus(w.first.Service, clock.RealClock{}, tells)
	reporter := worker.Reporter{Client: w.connection.client, Events: events, Clock: clock.RealClock{}}
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
		next, err := w.until(ctx, config, status)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		config = next
	}
}

// until runs config until there is another one, which it returns, or ctx ends.
func (w *serving) until(ctx context.Context, config worker.Config, status *worker.Status) (worker.Config, error) {
	running, stop := context.WithCancel(ctx)
	defer stop()
	var next worker.Config
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		defer stop()
		next, _ = w.follower.Other(running, config) // or ctx has ended
	}()
	err := w.engineRun(running, config, status)
	stop()
	<-followed
	if err != nil || ctx.Err() != nil {
		return worker.Config{}, err
	}
	if next.Service == nil {
		return next, nil
	}
	return next, w.memory.saver.Flush(ctx)
}

// engineRun runs the valid triggers of config until ctx ends.
func (w *serving) engineRun(ctx context.Context, config worker.Config, status *worker.Status) error {
	log := logr.FromContextOrDiscard(ctx)
	// Sources begin anew, where the store says.
	c := w.connection
	c.resources.Waits, c.resources.Away, c.views.Waits = status.Waits, status.Away, status.Waits
	w.memory.sources(&c)
	templates, broken := trigger.AddActions(c.builtIn, config.Actions)
	for name, problems := range broken {
		log.Info("Action is broken", "action", name, "problems", problems.Error())
	}
	compiled := trigger.CompileService(trigger.Compiler{Sources: c.sources(), Actions: templates, Executor: c.executor}, config.Service, config.Refuse)
	status.Begin(config, compiled)
	var valid, all []engine.Trigger
	for _, t := range compiled {
		if t.Subscription != nil {
			all = append(all, t.Trigger)
		}
		if len(t.Problems) > 0 {
			log.Info("Trigger is invalid", "trigger", t.String(), "problems", t.Problems.Error())
			continue
		}
		t.Guard = c.guard(t.Trigger.Trigger)
		valid = append(valid, t.Trigger)
	}
	c.webhooks.Server.Keep(ctx, subscriptions(all))
	if err := w.memory.prune(ctx, all); err != nil {
		return err
	}
	e, err := engine.New(w.engine(w.memory, status), valid)
	if err != nil {
		return err
	}
	status.Runs(e)
	log.Info("starting", "triggerService", w.service, "generation", config.Service.Generation, "triggers", len(valid), "version", version)
	return w.runEngine(ctx, e, c, w.memory)
}

// recorder makes Kubernetes events. Client-go limits how many.
func recorder(cfg *rest.Config, scheme *runtime.Scheme, namespace string) (record.EventRecorder, func(), error) {
	client, err := typedcorev1.NewForConfig(cfg)
	if err != nil {
		return nil, nil, err
	}
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.Events(namespace)})
	return broadcaster.NewRecorder(scheme, corev1.EventSource{Component: "kube-trigger"}), broadcaster.Shutdown, nil
}
