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
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubevela/kube-trigger/pkg/panicerr"
	"github.com/kubevela/kube-trigger/pkg/sleep"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// phase is a phase in the life of a watch:
//
//	load ─▶ resolve ─▶ list │ relist │ restore │ resume ─▶ save ─▶ sync ─▶ watch
//	           ▲       └────────── watcher.start ───────┘                    │
//	           └──── the stream ends, any phase fails, or Run restarts ◀─────┘
//
// Only next, enter and fail move a watch to another phase.
type phase int

const (
	// phaseLoad loads the checkpoint. No other phase returns to it.
	phaseLoad phase = iota
	// phaseRediscover discards the mapping of the kind, which the API server does not
	// serve.
	phaseRediscover
	// phaseResolve waits until the kind is registered. If it was removed, all objects
	// are deleted and the watch starts anew.
	phaseResolve

	// phaseList records the objects that exist, which are not events. Before it is
	// complete, the watch has no position and no complete inventory.
	phaseList
	// phaseRelist delivers the differences between the objects that exist and the
	// inventory: the history after the position is gone.
	phaseRelist
	// phaseRestore restores the field states of a loaded inventory at the position.
	phaseRestore
	// phaseResume continues from the position. Like phaseRestore, it first compares the
	// position with the state of the API server.
	phaseResume

	// phaseSave waits until the position where the watch starts is in the store.
	phaseSave
	// phaseSync delivers the sync events.
	phaseSync
	// phaseWatch delivers the events after the position.
	phaseWatch
)

// Run watches until ctx ends. It waits for a kind that is not registered, and retries
// by itself when an established watch is interrupted. The watch of a cluster that
// triggers select also retries any other failure, and reports it; that of the worker's
// own cluster returns it. The next Run resumes where the last one stopped.
func (w *watcher) Run(ctx context.Context, sink source.Sink) error {
	log := logr.FromContextOrDiscard(ctx).WithValues("watch", w.String())
	ctx = logr.NewContext(ctx, log)
	defer func() {
		committed, pending := w.checkpointer.watermark.Committed()
		log.V(1).Info("watch stopped", "resourceVersion", w.position, "committed", committed, "pending", pending)
	}()
	w.phase = min(w.phase, phaseResolve)
	for {
		next, err := w.next(ctx, sink)
		if err == nil {
			w.enter(next) // also if ctx has ended: a phase is not repeated by the next Run
		}
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			continue
		}
		delay, interrupted := w.fail(err)
		switch {
		case interrupted:
			log.Info("watch interrupted; retrying", "reason", err.Error(), "delay", delay)
		case w.cluster == "":
			return err
		default:
			log.Info("watching the cluster failed; retrying", "reason", err.Error(), "delay", delay)
			w.reportStatus(err)
		}
		if !sleep.For(ctx, w.Clock, delay) {
			return nil
		}
	}
}

// next runs the current phase, and returns the one that follows. It returns a panic as
// an error.
func (w *watcher) next(ctx context.Context, sink source.Sink) (next phase, err error) {
	next, err = panicerr.Call(func() (phase, error) { return w.runPhase(ctx, sink) })
	if p := (*panicerr.Error)(nil); errors.As(err, &p) {
		logr.FromContextOrDiscard(ctx).Info("watch panicked", "stack", string(p.Stack))
		err = fmt.Errorf("watch %s: %w", w, p)
	}
	return next, err
}

func (w *watcher) runPhase(ctx context.Context, sink source.Sink) (phase, error) {
	switch w.phase {
	case phaseLoad:
		return phaseResolve, w.loadCheckpoint(ctx)
	case phaseRediscover:
		w.mapper.refresh()
		w.mapping = nil
		return phaseResolve, nil
	case phaseResolve:
		err := w.resolveKind(ctx, sink)
		if err == nil {
			w.setClient()
		}
		return w.start, err
	case phaseList:
		return phaseSave, w.listInitial(ctx, sink)
	case phaseRelist:
		return phaseSave, w.relist(ctx, sink)
	case phaseRestore, phaseResume:
		if rolledBack, err := w.checkRollback(ctx); rolledBack || err != nil {
			return phaseRelist, err
		}
		if w.phase == phaseRestore {
			return phaseSave, w.restoreFields(ctx)
		}
		return phaseSave, nil
	case phaseSave:
		return phaseSync, w.saveStart(ctx)
	case phaseSync:
		return phaseWatch, w.deliverSync(ctx, sink)
	default:
		return phaseResolve, w.watch(ctx, sink)
	}
}

// enter moves to the phase that follows a phase that was successful.
func (w *watcher) enter(next phase) {
	switch {
	case next == phaseRelist:
		w.start = phaseRelist
	case next == phaseSave:
		w.start = phaseResume
	case w.phase == phaseWatch:
		w.subscribers.clearNew()
		w.backoff = newBackoff()
	}
	w.phase = next
}

// fail moves to the phase that follows a failure. It returns the delay before that, and
// whether err only interrupts the watch.
func (w *watcher) fail(err error) (delay time.Duration, interrupted bool) {
	delay = w.backoff.Step()
	if w.phase == phaseLoad {
		return delay, false
	}
	w.phase = min(w.phase, phaseResolve)
	seconds, suggested := apierrors.SuggestsClientDelay(err)
	switch {
	case isHistoryGone(err), apierrors.IsNotFound(err):
		if w.start != phaseList {
			w.start = phaseRelist
		}
		if !isHistoryGone(err) {
			w.phase = phaseRediscover
		}
		return delay, true
	case suggested || apierrors.IsTooManyRequests(err):
		return max(delay, time.Duration(seconds)*time.Second), true
	}
	return delay, errors.As(err, &interruptedError{})
}
