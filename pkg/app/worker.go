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
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/acceptance"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/crashguard"
	"github.com/kubevela/kube-trigger/pkg/sleep"
	"github.com/kubevela/kube-trigger/pkg/store/cluster"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/pkg/worker"
)

const (
	// startGrace is how long a worker is not ready because a TriggerService has not started.
	startGrace = 10 * time.Second
	// stableAfter is how long a worker runs until earlier crashes do not count any more.
	stableAfter = 10 * time.Minute
	// minTenants is the minimum number of TriggerServices that share the memory for events
	// in progress of the worker of a namespace: one alone does not get all of it.
	minTenants = 4
)

// restartDelay returns the delays before a TriggerService is run again after a failure.
func restartDelay() wait.Backoff {
	return wait.Backoff{Duration: time.Second, Factor: 2, Steps: 6, Cap: 30 * time.Second, Jitter: 0.1}
}

// workerProcess is a worker: a process that runs TriggerServices, each as its ServiceAccount,
// and keeps their state with rights of its own.
type workerProcess struct {
	*runner

	// config is that of the worker's own clients.
	config   *rest.Config
	identity string
	builtIn  map[string]trigger.Template
	// clients are the worker's own, and have what those of TriggerServices share.
	clients  clients
	events   record.EventRecorder
	services *worker.Services
	// deadLetters are those of all TriggerServices.
	deadLetters *cluster.DeadLetterWatch
	election    sync.Mutex
	// leader is nil before the election, and isElected is closed after it.
	leader    *cluster.Leader
	isElected chan struct{}
	// fail ends the process with an error. done is closed when it ends.
	fail context.CancelCauseFunc
	done <-chan struct{}
}

// runWorker runs the TriggerServices of a worker, and follows their changes, until ctx ends.
// One of several workers runs a TriggerService at a time; another one takes over when it
// ends.
func (r *runner) runWorker(ctx context.Context) error {
	watch, err := r.watchOptions()
	if err != nil {
		return err
	}
	p := &workerProcess{runner: r, isElected: make(chan struct{})}
	if p.builtIn, err = trigger.BuiltIn(actions.FS); err != nil {
		return err
	}
	if p.clients, p.config, err = r.newClients(nil); err != nil {
		return err
	}
	if p.clients.scheme, err = newScheme(); err != nil {
		return err
	}
	if p.identity = r.PodName; p.identity == "" {
		if p.identity, err = os.Hostname(); err != nil {
			return err
		}
	}
	if p.clients.crashes, err = r.openCrashTracker(ctx, watch); err != nil {
		return err
	}
	defer func() {
		if p.clients.crashes != nil {
			_ = p.clients.crashes.Close() // nothing is recorded any more
		}
	}()
	var shutdown func()
	if p.events, shutdown, err = newEventRecorder(p.config, p.clients.scheme, watch.Namespace); err != nil {
		return err
	}
	defer shutdown()
	runCtx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	p.fail, p.done = fail, runCtx.Done()
	log := logr.FromContextOrDiscard(ctx)
	watch.OnIgnored = func(ts *v1alpha1.TriggerService, reason string) {
		if reason == "" {
			return
		}
		log.Info("Accepted version is ignored", "triggerService", ts.Namespace+"/"+ts.Name, "reason", reason)
		p.events.Event(ts, corev1.EventTypeWarning, worker.ReasonVersionIgnored, reason)
	}
	if p.services, err = worker.Watch(runCtx, p.config, watch); err != nil {
		return ignoreCanceled(ctx, err)
	}
	if p.deadLetters, err = cluster.WatchDeadLetters(runCtx, p.storeClient(), watch.Namespace); err != nil {
		return err
	}
	if r.WorkerNamespace != "" {
		go p.forgetDeaths(runCtx)
		go p.setReady(runCtx)
	}
	log.Info("waiting for accepted versions", "namespace", watch.Namespace, "worker", watch.Worker)
	p.services.Run(runCtx, p.runService)
	p.resign(ctx)
	if ctx.Err() == nil {
		return context.Cause(runCtx)
	}
	return nil
}

// watchOptions returns what TriggerService or WorkerNamespace selects.
func (r *runner) watchOptions() (worker.WatchOptions, error) {
	o := worker.WatchOptions{Namespace: r.WorkerNamespace, Worker: trigger.NamespaceWorker, Clock: clock.RealClock{}}
	switch {
	case r.WorkerNamespace != "" && (r.TriggerService != "" || r.Config != ""):
		return o, InvalidError{errors.New("--worker-namespace, --trigger-service and --config: only one of them can be given")}
	case r.WorkerNamespace == "":
		name, err := r.serviceName()
		if err != nil {
			return o, err
		}
		o.Namespace, o.Name, o.Worker = name.Namespace, name.Name, trigger.WorkerName(name.Name)
	}
	var err error
	if o.Key, err = acceptance.ParseKey(r.ControllerKey); err != nil {
		return o, InvalidError{fmt.Errorf("--controller-key %w", err)}
	}
	return o, nil
}

// openCrashTracker opens the crash tracker of the process. It returns nil if there is no
// place for it.
func (r *runner) openCrashTracker(ctx context.Context, o worker.WatchOptions) (*crashguard.Tracker, error) {
	if r.StateDir == "" {
		return openSharedCrashTracker(ctx, o.Namespace, o.Worker), nil
	}
	return crashguard.Open(filepath.Join(r.StateDir, "evaluations"))
}

// forgetDeaths starts to count unexplained crashes anew once the process has run for stableAfter.
func (p *workerProcess) forgetDeaths(ctx context.Context) {
	if p.clients.crashes != nil && sleep.For(ctx, clock.RealClock{}, stableAfter) {
		p.clients.crashes.ForgetDeaths()
	}
}

// setReady has the server report that the worker is ready once it is elected and runs what it
// was assigned, or startGrace after its election, until ctx ends. Without TriggerServices it
// is ready at once.
func (p *workerProcess) setReady(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var grace <-chan time.Time
	for elected, waits := p.isElected, true; waits && !p.runsAssigned(); {
		select {
		case <-elected:
			elected, grace = nil, time.After(startGrace)
		case <-grace:
			waits = false
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
	p.server.ready.Store(true)
	<-ctx.Done()
	p.server.ready.Store(false)
}

// runsAssigned reports whether an engine runs for each TriggerService that is assigned to
// this worker.
func (p *workerProcess) runsAssigned() bool {
	monitors := p.server.current()
	return !slices.ContainsFunc(p.services.Assigned(), func(name string) bool {
		return !slices.ContainsFunc(monitors, func(m *monitor) bool { return m.name == name && m.Running() })
	})
}

// runService runs a TriggerService whenever it is assigned to this worker, until it is
// deleted or ctx ends. The failure of one that is not alone does not end the process.
func (p *workerProcess) runService(ctx context.Context, watcher *worker.ConfigWatcher) {
	delays := restartDelay()
	for {
		started := time.Now()
		err := p.runAssigned(ctx, watcher)
		switch {
		case ctx.Err() != nil, errors.Is(err, worker.ErrDeleted):
			return
		case err == nil: // assigned to another worker
			delays = restartDelay()
			continue
		case p.WorkerNamespace == "":
			p.fail(err)
			return
		case time.Since(started) > delays.Cap:
			delays = restartDelay()
		}
		delay := delays.Step()
		logr.FromContextOrDiscard(ctx).Error(err, "TriggerService failed", "triggerService", watcher.Name.String(), "retryIn", delay.String())
		if !sleep.For(ctx, clock.RealClock{}, delay) {
			return
		}
	}
}

// errLost ends a process that has lost its Lease.
var errLost = errors.New("another worker has taken over the Lease")

// errUnassigned ends the run of a TriggerService that another worker is to run.
var errUnassigned = errors.New("the TriggerService was assigned to another worker")

// runAssigned waits until a TriggerService is assigned to this worker, and runs it until it
// is not any more. The error is worker.ErrDeleted if it was deleted.
func (p *workerProcess) runAssigned(ctx context.Context, watcher *worker.ConfigWatcher) error {
	first, err := watcher.Next(ctx, worker.Config{})
	if err != nil {
		return err
	}
	monitor, release := p.server.monitor(watcher.Name.Name)
	defer release()
	own := *p.runner
	own.monitor = monitor
	w := serviceWorker{runner: &own, process: p, watcher: watcher, first: first}
	assigned, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		config, err := first, error(nil)
		for err == nil && config.Service != nil && config.Service.UID == first.Service.UID && config.WebhookPort == first.WebhookPort {
			config, err = watcher.Next(assigned, config)
		}
		if err == nil {
			err = errUnassigned
		}
		stop(err)
	}()
	log := logr.FromContextOrDiscard(ctx)
	if w.stores, err = w.openClusterStore(assigned, first.Service); err == nil {
		err = w.stores.runWith(assigned, w.run)
		if closeErr := w.stores.close(); closeErr != nil {
			log.Info("Store not closed", "triggerService", watcher.Name.String(), "reason", closeErr.Error())
		}
	}
	switch cause := context.Cause(assigned); {
	case errors.Is(cause, worker.ErrDeleted): // and the store, too, so that it could not be saved
		return cause
	case errors.Is(cause, errUnassigned):
		log.Info("stopped", "triggerService", watcher.Name.String(), "reason", cause.Error())
		if err != nil {
			log.Error(err, "Failed while stopping", "triggerService", watcher.Name.String())
		}
		return nil
	}
	return ignoreCanceled(ctx, err)
}

// queueShares returns the number of TriggerServices that share the memory for events in
// progress.
func (p *workerProcess) queueShares() int64 {
	if p.WorkerNamespace == "" {
		return 1
	}
	return int64(max(minTenants, len(p.services.Assigned())))
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

// webhookAddress returns address with another port; 0 for its own one.
func webhookAddress(address string, port int32) string {
	if port == 0 {
		return address
	}
	host, _, _ := net.SplitHostPort(address) // an invalid one has no host
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
