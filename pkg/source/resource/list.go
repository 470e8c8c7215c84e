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

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// list reads all objects, a page at a time, brings the inventory up to date and
// delivers what differs from it. It may be repeated after an error: what was
// delivered is no longer a difference.
func (w *watcher) list(ctx context.Context, sink source.Sink) error {
	var reached string
	var err error
	if w.started || w.sync {
		reached, err = w.compare(ctx, sink)
	} else {
		reached, err = w.count(ctx)
	}
	if err != nil {
		return err
	}
	w.started = true
	w.reach(reached)
	return nil
}

// count fills the inventory with the objects that exist, of which it reads the
// metadata only, and returns the resourceVersion of the list.
func (w *watcher) count(ctx context.Context) (string, error) {
	found := newInventory()
	client := w.Metadata.Resource(w.mapping.Resource).Namespace(w.namespace)
	opts := w.narrow(metav1.ListOptions{Limit: w.PageSize})
	for {
		page, err := client.List(ctx, opts)
		if err != nil {
			return "", fmt.Errorf("list %s: %w", w, err)
		}
		for i := range page.Items {
			o := &page.Items[i]
			found.put(keyOf(o.Namespace, o.Name), string(o.UID), o.ResourceVersion)
		}
		if opts.Continue = page.Continue; opts.Continue == "" {
			w.inventory = found
			return page.ResourceVersion, nil
		}
	}
}

// compare delivers what differs between the objects that exist and the
// inventory, and returns the resourceVersion of the list. On the first start,
// objects that are not in the inventory are announced as sync.
func (w *watcher) compare(ctx context.Context, sink source.Sink) (string, error) {
	newcomer := event.Create
	if !w.started {
		newcomer = event.Sync
	}
	seen := map[string]struct{}{}
	client := w.Client.Resource(w.mapping.Resource).Namespace(w.namespace)
	opts := w.narrow(metav1.ListOptions{Limit: w.PageSize})
	var page *unstructured.UnstructuredList
	for {
		var err error
		if page, err = client.List(ctx, opts); err != nil {
			return "", fmt.Errorf("list %s: %w", w, err)
		}
		for i := range page.Items {
			o := &page.Items[i]
			seen[keyOf(o.GetNamespace(), o.GetName())] = struct{}{}
			if err := w.observe(ctx, sink, o, newcomer, ""); err != nil {
				return "", err
			}
		}
		if opts.Continue = page.GetContinue(); opts.Continue == "" {
			break
		}
	}
	for _, key := range w.inventory.except(seen) {
		if err := w.bury(ctx, sink, key); err != nil {
			return "", err
		}
	}
	return page.GetResourceVersion(), nil
}

// recheck forgets the position where the API server's state is older than it,
// as after a restore of etcd: a watch from the future would stay silent until
// that future comes.
func (w *watcher) recheck(ctx context.Context) error {
	client := w.Metadata.Resource(w.mapping.Resource).Namespace(w.namespace)
	page, err := client.List(ctx, w.narrow(metav1.ListOptions{Limit: 1}))
	if err != nil {
		return fmt.Errorf("list %s: %w", w, err)
	}
	if versionOf(page.ResourceVersion).before(versionOf(w.position)) {
		logr.FromContextOrDiscard(ctx).Info("the API server went back in time; comparing all objects",
			"from", w.position, "to", page.ResourceVersion)
		w.position = ""
	}
	return nil
}

// abandon delivers that all objects are gone, because their kind is. When it
// comes back, the objects that then exist count as existing at first.
func (w *watcher) abandon(ctx context.Context, sink source.Sink) error {
	for _, key := range w.inventory.except(nil) {
		if err := w.bury(ctx, sink, key); err != nil {
			return err
		}
	}
	w.started, w.stale = false, false
	return nil
}
