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
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/crashguard"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/cluster"
	"github.com/kubevela/kube-trigger/pkg/store/file"
	"github.com/kubevela/kube-trigger/pkg/store/socket"
)

// How far the store may lag behind the engine: by an interval, or by a number of
// changes. In the cluster each write is a request to the API server.
const (
	saveInterval        = 50 * time.Millisecond
	saveBatch           = 1000
	clusterSaveInterval = time.Second
	clusterSaveBatch    = 100
)

const (
	// saveGrace is how long writes of a failing store are retried at the end.
	saveGrace = 5 * time.Second
	// replayInterval is how often the store in a file is polled for replay requests, and
	// clusterReplayInterval one in the cluster, which also tells of them.
	replayInterval, clusterReplayInterval = 5 * time.Second, 15 * time.Second
)

// stores is the persistent state of a run. Without a store, it persists no more than
// crashes.
type stores struct {
	store     store.Store
	saver     *store.BatchSaver
	secretKey []byte
	// crashes is that of a configuration; nil if crashes of evaluations are not recorded.
	crashes *crashguard.Tracker
	// listener is the Unix socket of the dead letters of a file, and of debug; nil for none.
	// Each replay request that it receives is signaled to replayRequested.
	listener        net.Listener
	debug           http.Handler
	replayRequested chan struct{}
	// replays has an element after a request to replay a dead letter. replayInterval is how
	// often the store is polled for them, too.
	replays        <-chan struct{}
	replayInterval time.Duration
}

// openFileStore opens the store file of a configuration, for the API server at
// host. Without a file, only crashes are recorded.
func (r *runner) openFileStore(ctx context.Context, host string) (stores, error) {
	log := logr.FromContextOrDiscard(ctx)
	owner, err := filepath.Abs(r.Config)
	if err != nil {
		return stores{}, err
	}
	path := r.Store
	switch path {
	case StoreNone, "":
		log.Info("no store: a restart does not resume")
		return stores{crashes: openSharedCrashTracker(ctx, owner, host)}, nil
	case StoreAuto:
		if path, err = defaultStorePath(r.Config, host); err != nil {
			log.Info("no store: a restart does not resume", "reason", err.Error())
			return stores{crashes: openSharedCrashTracker(ctx, owner, host)}, nil
		}
	}
	f, err := file.Open(ctx, path, file.Options{Owner: owner, Adopt: r.AdoptStore})
	if owned := (*file.OwnedError)(nil); errors.As(err, &owned) {
		return stores{}, fmt.Errorf("%w; --adopt-store makes it the store of %s and drops the unfinished events of the other configuration", err, owner)
	}
	if err != nil {
		return stores{}, err
	}
	requested := make(chan struct{}, 1)
	// Only this user connects, who also reads the dead letters with their errors.
	s := stores{store: f, debug: r.server.debugHandler(error.Error), replayRequested: requested, replays: requested, replayInterval: replayInterval}
	if s.secretKey, err = loadSecretKey(path + ".key"); err != nil {
		return stores{}, errors.Join(err, f.Close())
	}
	if s.crashes, err = crashguard.Open(path + ".evaluations"); err != nil {
		return stores{}, errors.Join(err, f.Close())
	}
	s.saver = store.NewBatchSaver(f, store.BatchSaverOptions{
		MaxDelay: saveInterval, BatchSize: saveBatch, GracePeriod: saveGrace, Clock: clock.RealClock{},
		OnError: r.onStoreError(log),
	})
	if s.listener, err = socket.Listen(ctx, socketPath(path)); err != nil {
		log.Info("`kube-trigger dead-letters` cannot reach this process", "reason", err.Error())
	}
	log.Info("store opened", "file", path)
	return s, nil
}

// openClusterStore opens the store of ts in its namespace. It waits until no other worker
// has it open.
func (w *serviceWorker) openClusterStore(ctx context.Context, ts *v1alpha1.TriggerService) (stores, error) {
	log := logr.FromContextOrDiscard(ctx)
	leader, err := w.process.elected(ctx, ts)
	if err != nil {
		return stores{}, err
	}
	opened, err := cluster.Open(ctx, cluster.Options{
		Client: w.process.storeClient(), Namespace: ts.Namespace, Owner: ts.Name, Leader: leader,
		OwnerReferences: []metav1.OwnerReference{ownerReference(ts)},
	})
	if err != nil {
		return stores{}, err
	}
	s := stores{store: opened, replays: w.process.deadLetters.Replays(ts.Name), replayInterval: clusterReplayInterval, saver: store.NewBatchSaver(opened, store.BatchSaverOptions{
		MaxDelay: clusterSaveInterval, BatchSize: clusterSaveBatch, GracePeriod: saveGrace, Clock: clock.RealClock{},
		OnError: w.onStoreError(log),
	})}
	return s, nil
}

// onStoreError returns a function that reports an error of the store.
func (r *runner) onStoreError(log logr.Logger) func(error) {
	return func(err error) {
		log.Error(err, "Store failed; retrying")
		r.monitor.storeFailed()
	}
}

// configureSources has the sources of c resume from s and save their progress to
// it.
func (s stores) configureSources(c *clients) {
	if s.crashes != nil {
		c.crashes = s.crashes
	}
	if s.store == nil {
		return
	}
	checkpoints := s.store.Checkpoints()
	c.resource.Checkpoints, c.resource.Saver, c.resource.SecretKey = checkpoints, s.saver, s.secretKey
	c.cron.Checkpoints, c.cron.Saver = checkpoints, s.saver
	c.velaql.Checkpoints, c.velaql.Saver = checkpoints, s.saver
	c.webhook.Queue, c.webhook.Checkpoints, c.webhook.Saver = s.store.Queue(), checkpoints, s.saver
	c.webhook.DeadLetters = s.store.DeadLetters()
	c.progress = newProgress(s.store)
}

// deadLetters returns the store of dead letters; nil for none.
func (s stores) deadLetters() engine.DeadLetters {
	if s.store == nil {
		return nil
	}
	return s.store.DeadLetters()
}

// prune deletes the checkpoints and queued events of sources that no trigger uses, the progress
// of other triggers' actions, and what has expired of that of the triggers. It keeps those of
// source types that this version does not have.
func (s stores) prune(ctx context.Context, triggers []engine.Trigger, sources source.Registry) error {
	if s.store == nil {
		return nil
	}
	used := subscriptions(triggers)
	var withProgress []event.TriggerRef
	err := store.Prune(ctx, s.store, func(name string) bool {
		if store.IsProgress(name) {
			of := slices.IndexFunc(triggers, func(t engine.Trigger) bool { return store.ProgressName(t.TriggerRef) == name })
			if of >= 0 {
				withProgress = append(withProgress, triggers[of].TriggerRef)
			}
			return of >= 0
		}
		if _, ok := sources[checkpointType(name)]; !ok {
			return true
		}
		return slices.ContainsFunc(used, func(sub source.Subscription) bool { return sub.UsesCheckpoint(name) })
	})
	for _, t := range withProgress {
		err = errors.Join(err, store.NewProgress(s.store.Checkpoints(), t, clock.RealClock{}).DropExpired(ctx))
	}
	return err
}

// checkpointType returns the source type in the name of a checkpoint: "webhook" in
// "webhook:a/b", and "resource-watcher" in "UID resource-watcher:…".
func checkpointType(name string) string {
	head, _, _ := strings.Cut(name, ":")
	return head[strings.LastIndexByte(head, ' ')+1:]
}

// subscriptions returns the subscriptions of triggers.
func subscriptions(triggers []engine.Trigger) []source.Subscription {
	var all []source.Subscription
	for _, t := range triggers {
		all = append(all, t.Subscription)
	}
	return all
}

// runWith calls run, saves changes while it runs, and saves the rest once it has
// returned. The context of run ends if another process takes over the store.
func (s stores) runWith(ctx context.Context, run func(context.Context) error) error {
	if s.store == nil {
		return run(ctx)
	}
	runCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	saveCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	errs := make(chan error, 2)
	go func() {
		errs <- s.saver.Run(saveCtx)
		cancel()
	}()
	go func() { errs <- s.serveDeadLetters(saveCtx) }()
	err := run(runCtx)
	stop()
	return errors.Join(err, <-errs, <-errs)
}

// serveDeadLetters gives other processes access to the dead letters until ctx
// ends.
func (s stores) serveDeadLetters(ctx context.Context) error {
	if s.listener == nil {
		return nil
	}
	return socket.Serve(ctx, s.listener, s.debug, s.store.DeadLetters(), func() {
		select {
		case s.replayRequested <- struct{}{}:
		default: // a signal is pending
		}
	})
}

func (s stores) close() error {
	var err error
	if s.crashes != nil {
		err = s.crashes.Close()
	}
	if s.store == nil {
		return err
	}
	if s.listener != nil {
		_ = s.listener.Close() // may be closed already
	}
	return errors.Join(err, s.store.Close())
}
