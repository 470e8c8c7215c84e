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
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kubevela/kube-trigger/pkg/sleep"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// kindPollInterval is the interval at which a watch looks up a kind that is not
// registered. With the 10 s between discoveries, the kind is found within 15 s.
const kindPollInterval = 5 * time.Second

// watcher is the watch of one query in one cluster. Its state outlives Run: the next Run
// resumes where the last one stopped.
type watcher struct {
	Options
	query
	mapper *sharedMapper
	// tracker has the state of the objects.
	tracker *tracker
	// subscribers are the triggers that share the watch.
	subscribers *subscribers
	// metadataOnly is set if no trigger needs more of an object than its metadata: nothing else
	// is requested, and events have nothing else.
	metadataOnly bool
	// reportStatus is called with nil when the watch is established, and with an error
	// while it waits for its kind or is retried.
	reportStatus func(error)

	// phase is the current phase. start is the phase in which the watch starts when
	// the kind is resolved: phaseList, phaseRelist, phaseRestore or phaseResume.
	phase, start phase
	backoff      wait.Backoff
	// mapping is the REST mapping of the kind; nil until it is resolved.
	mapping *meta.RESTMapping
	// client reads objects of the kind, also while the watch restarts.
	client atomic.Pointer[objectClient]
	// storeName is the name of the checkpoint, once it was loaded.
	storeName atomic.Pointer[string]
	// startSaved is set once the store holds the position where the watch starts.
	startSaved bool
	// position is the resourceVersion that the watch has reached.
	position     string
	checkpointer *checkpointer
	// syncedTo is the key up to which sync events were delivered, and syncWatermark
	// the key up to which they are done.
	syncedTo      string
	syncWatermark *watermark
	// loggedWatching is set once the first watch was logged.
	loggedWatching bool
}

func newWatcher(o Options, mapper *sharedMapper, q query, d *DerivedSource, shared []subscription) *watcher {
	return &watcher{
		Options: o, query: q, mapper: mapper,
		tracker: newTracker(o, q, d, shared), subscribers: newSubscribers(shared),
		metadataOnly: needMetadataOnly(shared), start: phaseList, backoff: newBackoff(),
		checkpointer: newCheckpointer(nil), syncWatermark: &watermark{},
	}
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
	for reported := false; w.mapping == nil; reported = true {
		mapping, known, err := w.mapper.mapping(w.kind)
		if err == nil {
			if mapping.Scope.Name() == meta.RESTScopeNameRoot && w.namespace != "" {
				return fmt.Errorf("kind %q in %q is cluster-scoped: namespace %q must not be set",
					w.kind.Kind, w.kind.GroupVersion(), w.namespace)
			}
			w.mapping = mapping
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
		if !sleep.For(ctx, w.Clock, kindPollInterval) {
			return ctx.Err()
		}
	}
	return nil
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
