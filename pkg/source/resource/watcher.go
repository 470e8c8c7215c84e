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

// kindPollInterval is the interval at which a watch looks up a kind that is not
// registered. With the 10 s between discoveries, the kind is found within 15 s.
const kindPollInterval = 5 * time.Second

// watcher is the watch of one query. Its state outlives Run: the next Run resumes
// where the last one stopped.
type watcher struct {
	Options
	query
	mapper *sharedMapper
	// derived derives the delivered events; nil delivers the events themselves.
	derived *DerivedSource
	// tracker extracts the state of objects that later events are compared with.
	tracker fieldTracker
	// subscribers are the triggers that share the watch.
	subscribers *subscribers

	// mapping is the REST mapping of the kind; nil until it is resolved.
	mapping *meta.RESTMapping
	// mappingStale is set when the API server returned NotFound for the mapping.
	mappingStale bool
	// loaded is set once the checkpoint was loaded. storeName is then its name.
	loaded    bool
	storeName atomic.Pointer[string]
	// initialized is set once inventory holds all objects of the initial list.
	initialized bool
	// startSaved is set once the store holds the position where the watch starts.
	startSaved bool
	inventory  inventory
	// tombstones holds the objects that were deleted before a restart but above the
	// saved position, by key. All events up to the tombstone's version are done.
	tombstones map[string]version
	// fieldsRestored is set once the field states of the inventory were restored as
	// far as possible.
	fieldsRestored bool
	// position is the resourceVersion that the watch has reached. It is empty if the
	// objects have to be listed.
	position     string
	checkpointer *checkpointer
	// syncedTo is the key up to which sync events were delivered, and syncWatermark
	// the key up to which they are done.
	syncedTo      string
	syncWatermark *watermark
	backoff       backoff
	// loggedWatching is set once the first watch was logged.
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

// Run watches until ctx ends. It waits for a kind that is not registered, and retries
// by itself when an established watch is interrupted.
func (w *watcher) Run(ctx context.Context, sink source.Sink) error {
	log := logr.FromContextOrDiscard(ctx).WithValues("watch", w.String())
	ctx = logr.NewContext(ctx, log)
	defer func() {
		committed, pending := w.checkpointer.watermark.Committed()
		log.V(1).Info("watch stopped", "resourceVersion", w.position, "committed", committed, "pending", pending)
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
		log.Info("watch interrupted; retrying", "reason", err.Error(), "delay", delay)
		if !wait(ctx, w.Clock, delay) {
			return nil
		}
	}
}

// advance lists as necessary, then watches until the stream ends.
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

// saveStart waits, once, until the store holds the position where the watch starts.
// Without it, a process that is killed during its first event would start after that
// event the next time.
func (w *watcher) saveStart(ctx context.Context) error {
	if w.startSaved || w.Saver == nil {
		return nil
	}
	if err := w.Saver.Flush(ctx); err != nil {
		return interruptedError{fmt.Errorf("save the start of the watch: %w", err)}
	}
	w.startSaved = true
	return nil
}

// resolveKind resolves the kind to its REST mapping. It waits while the kind is not
// registered, and delivers the deletion of all objects if it was removed.
func (w *watcher) resolveKind(ctx context.Context, sink source.Sink) error {
	for reported := false; ; reported = true {
		mapping, known, err := w.mapper.mapping(w.kind, w.mappingStale)
		if err == nil {
			if mapping.Scope.Name() == meta.RESTScopeNameRoot && w.namespace != "" {
				return fmt.Errorf("kind %q in %q is cluster-scoped: namespace %q must not be set",
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
			logr.FromContextOrDiscard(ctx).Info("kind is not registered; waiting",
				"kind", w.kind.Kind, "apiVersion", w.kind.GroupVersion().String())
			w.reportStatus(err)
		}
		if !wait(ctx, w.Clock, kindPollInterval) {
			return ctx.Err()
		}
	}
}

// interruptedError is the error of an established stream. Run retries it.
type interruptedError struct{ error }

func (e interruptedError) Unwrap() error { return e.error }

// isHistoryGone reports whether the API server no longer has, or does not have yet,
// the events after the requested resourceVersion.
func isHistoryGone(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) ||
		apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge) ||
		apierrors.IsTimeout(err) && strings.Contains(err.Error(), "Too large resource version")
}
