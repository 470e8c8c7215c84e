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

package resource

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/source"
)

// kindPollInterval is how often a watch asks whether the kind it waits for is there:
// together with the 10 seconds between discoveries, it is found within 15.
const kindPollInterval = 5 * time.Second

// watcher is the watch of one query. Its state outlives a Run, so that the next
// one goes on where it stopped.
type watcher struct {
	Options
	query
	mapper *sharedMapper
	// derived makes of events what is delivered; nil delivers them.
	derived *DerivedSource
	// tracker says what has to be known of an object before it changed.
	tracker fieldTracker
	// subscribers are the triggers that share the watch.
	subscribers *subscribers

	// mapping is where the objects are served; nil while that is not known.
	mapping *meta.RESTMapping
	// mappingStale is set when the API server has denied that mapping.
	mappingStale bool
	// loaded is set once the watch is where it stopped before a restart, and name is
	// then what the store knows it by.
	loaded    bool
	storeName atomic.Pointer[string]
	// initialized is set once all objects that exist at first are in inventory.
	initialized bool
	// startSaved is set once the store holds where the watch begins.
	startSaved bool
	inventory  inventory
	// tombstones are objects that went before a restart, after what is saved as the
	// position: by key, and up to which version all is done.
	tombstones map[string]version
	// fieldsRestored is set once nothing more can be found out about how the objects
	// in inventory were when the watch stopped.
	fieldsRestored bool
	// position is the resourceVersion that the watch has reached; empty where
	// the objects have to be listed.
	position     string
	checkpointer *checkpointer
	// syncedTo is the key up to which the objects that exist were delivered,
	// and announcing follows which of those deliveries are done.
	syncedTo      string
	syncWatermark *watermark
	backoff       backoff
	// loggedWatching is whether it has been said that the watch works.
	loggedWatching bool
}

func newWatcher(o Options, mapper *sharedMapper, q query, d *DerivedSource, shared []subscription) *watcher {
	secret := q.kind.GroupKind() == schema.GroupKind{Kind: "Secret"}
	tracker := newFieldTracker(shared, secret, o.SecretKey)
	if d != nil {
		tracker.deriveState = d.State
	}
	return &watcher{
		Options: o, query: q, mapper: mapper, derived: d,
		tracker: tracker, subscribers: newSubscribers(shared),
		inventory: newInventory(), tombstones: map[string]version{},
		checkpointer: newCheckpointer(nil), syncWatermark: &watermark{},
	}
}

// Run watches until ctx ends. It waits for a kind that is not registered, and
// bridges by itself interruptions of a watch that was established.
func (w *watcher) Run(ctx context.Context, sink source.Sink) error {
	log := logr.FromContextOrDiscard(ctx).WithValues("watch", w.String())
	ctx = logr.NewContext(ctx, log)
	defer func() {
		committed, pending := w.checkpointer.watermark.Committed()
		log.V(1).Info("watch stopped", "resourceVersion", w.position, "done", committed, "undone", pending)
	}()
	if err := w.loadCheckpoint(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	for {
		err := w.advance(ctx, sink)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			w.subscribers.clearNew()
			w.backoff.reset()
			continue
		}
		delay := w.backoff.next()
		seconds, suggested := apierrors.SuggestsClientDelay(err)
		switch {
		case isHistoryGone(err):
			w.position = ""
		case apierrors.IsNotFound(err):
			w.mapping, w.mappingStale, w.position = nil, true, ""
		case suggested || apierrors.IsTooManyRequests(err):
			delay = max(delay, time.Duration(seconds)*time.Second)
		case !errors.As(err, &interruptedError{}):
			return err
		}
		log.Info("watch interrupted; going on", "reason", err.Error(), "delay", delay)
		if !wait(ctx, w.Clock, delay) {
			return nil
		}
	}
}

// advance brings the watch from where it is to the end of a stream.
func (w *watcher) advance(ctx context.Context, sink source.Sink) error {
	if w.mapping == nil {
		if err := w.resolveKind(ctx, sink); err != nil {
			return err
		}
	}
	if !w.initialized {
		if err := w.listInitial(ctx, sink); err != nil {
			return err
		}
	} else if w.position != "" {
		if err := w.checkRollback(ctx); err != nil {
			return err
		}
	}
	if w.position != "" {
		if err := w.restoreFields(ctx); err != nil {
			return err
		}
	} else if err := w.relist(ctx, sink); err != nil {
		return err
	}
	if err := w.saveStart(ctx); err != nil {
		return err
	}
	if err := w.deliverSync(ctx, sink); err != nil {
		return err
	}
	return w.watch(ctx, sink)
}

// saveStart waits, once, until the store holds where the watch begins: a process that
// is killed by its very first event must not begin after it the next time.
func (w *watcher) saveStart(ctx context.Context) error {
	if w.startSaved || w.Saver == nil {
		return nil
	}
	if err := w.Saver.Flush(ctx); err != nil {
		return interruptedError{fmt.Errorf("save where the watch begins: %w", err)}
	}
	w.startSaved = true
	return nil
}

// resolveKind finds out where the objects are served, and waits while they are not.
func (w *watcher) resolveKind(ctx context.Context, sink source.Sink) error {
	for reported := false; ; reported = true {
		mapping, known, err := w.mapper.mapping(w.kind, w.mappingStale)
		if err == nil {
			if mapping.Scope.Name() == meta.RESTScopeNameRoot && w.namespace != "" {
				return fmt.Errorf("kind %q in %q belongs to no namespace: namespace %q cannot be given",
					w.kind.Kind, w.kind.GroupVersion(), w.namespace)
			}
			w.mapping, w.mappingStale = mapping, false
			return nil
		}
		if !meta.IsNoMatchError(err) {
			return fmt.Errorf("look up kind %q in %q: %w", w.kind.Kind, w.kind.GroupVersion(), err)
		}
		if !known {
			if err := w.handleKindRemoved(ctx, sink); err != nil {
				return err
			}
		}
		if !reported {
			logr.FromContextOrDiscard(ctx).Info("no such kind is registered; waiting for it",
				"kind", w.kind.Kind, "apiVersion", w.kind.GroupVersion().String())
			w.reportStatus(err)
		}
		if !wait(ctx, w.Clock, kindPollInterval) {
			return ctx.Err()
		}
	}
}

// interruptedError is the end of a stream that had been established.
type interruptedError struct{ error }

func (e interruptedError) Unwrap() error { return e.error }

// isHistoryGone reports whether the API server no longer, or not yet, has what
// came after the resourceVersion it was asked about.
func isHistoryGone(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) ||
		apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge) ||
		apierrors.IsTimeout(err) && strings.Contains(err.Error(), "Too large resource version")
}
