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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// watchListIdle is the time without an event after which an API server counts as one that ignores
// the request for initial events.
const watchListIdle = 10 * time.Second

// errNoWatchList means that the API server did not stream the current objects.
var errNoWatchList = errors.New("the API server does not stream lists")

// listStream calls visit with the current objects, in batches of limited size, and returns their
// resourceVersion, as listPages does. The objects come as the first events of a watch, which costs
// less than pages. gone is called with objects that are deleted meanwhile, after the calls of visit
// for them. The error wraps errNoWatchList if the API server has to be asked for pages.
func (w *watcher) listStream(ctx context.Context, visit func([]metav1.Object) error, gone func(metav1.Object)) (string, error) {
	if w.PagedLists || w.metadataOnly || w.mapper.noWatchList.Load() {
		return "", errNoWatchList // pages of metadata are smaller
	}
	initial := true
	stream, err := w.client.Load().watch(ctx, w.namespace, false, w.listOptions(metav1.ListOptions{
		SendInitialEvents: &initial, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan, AllowWatchBookmarks: true,
	}))
	if err != nil {
		return "", w.watchListError(ctx, err)
	}
	defer stream.Stop()
	var (
		batch []metav1.Object
		size  int64
	)
	flush := func() error {
		err := visit(batch)
		batch, size = batch[:0:0], 0
		return err
	}
	idle := w.Clock.NewTimer(watchListIdle)
	defer idle.Stop()
	for {
		var (
			got watch.Event
			ok  bool
		)
		idle.Reset(watchListIdle)
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-idle.C():
			return "", w.watchListError(ctx, apierrors.NewBadRequest("no initial events"))
		case got, ok = <-stream.ResultChan():
		}
		o, isObject := got.Object.(*unstructured.Unstructured)
		switch {
		case !ok:
			return "", fmt.Errorf("list %s: the stream ended early: %w", w, errNoWatchList)
		case got.Type == watch.Error:
			return "", w.watchListError(ctx, apierrors.FromObject(got.Object))
		case !isObject:
			return "", fmt.Errorf("list %s: unexpected %T in %s event", w, got.Object, got.Type)
		case got.Type == watch.Bookmark && o.GetAnnotations()[metav1.InitialEventsAnnotationKey] == "true":
			return o.GetResourceVersion(), flush()
		case got.Type == watch.Bookmark:
			continue
		case got.Type == watch.Deleted:
			if err := flush(); err != nil {
				return "", err
			}
			gone(o)
			continue
		}
		batch, size = append(batch, o), size+event.Size(o.Object)
		if int64(len(batch)) >= min(maxObjectsPageSize, w.PageSize) || size >= pageBytes {
			if err := flush(); err != nil {
				return "", err
			}
		}
	}
}

// watchListError returns errNoWatchList if err says that the API server does not stream lists, which
// is remembered, or not to this account.
func (w *watcher) watchListError(ctx context.Context, err error) error {
	switch {
	case apierrors.IsBadRequest(err), apierrors.IsMethodNotSupported(err), apierrors.IsInvalid(err), apierrors.IsNotAcceptable(err):
		logr.FromContextOrDiscard(ctx).V(1).Info("lists by pages", "reason", err.Error())
		w.mapper.noWatchList.Store(true)
		return errNoWatchList
	case apierrors.IsForbidden(err):
		return errNoWatchList
	}
	return fmt.Errorf("list %s: %w", w, err)
}
