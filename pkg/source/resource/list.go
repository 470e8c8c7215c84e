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
	"maps"
	"slices"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// pages lists all objects, a page at a time, in the order of their keys, and
// returns the resourceVersion of the list. They are as they were at
// resourceVersion or, where that is empty, as they are.
func (w *watcher) pages(ctx context.Context, resourceVersion string, visit func([]metav1.Object) error) (string, error) {
	client := w.Client.Resource(w.mapping.Resource).Namespace(w.namespace)
	opts := w.narrow(metav1.ListOptions{Limit: w.PageSize})
	if resourceVersion != "" {
		opts.ResourceVersion, opts.ResourceVersionMatch = resourceVersion, metav1.ResourceVersionMatchExact
	}
	for {
		page, err := client.List(ctx, opts)
		if err != nil {
			return "", fmt.Errorf("list %s: %w", w, err)
		}
		objects := make([]metav1.Object, len(page.Items))
		for i := range page.Items {
			objects[i] = &page.Items[i]
		}
		if err := visit(objects); err != nil {
			return "", err
		}
		if opts.Continue = page.GetContinue(); opts.Continue == "" {
			return page.GetResourceVersion(), nil
		}
		opts.ResourceVersion, opts.ResourceVersionMatch = "", ""
	}
}

// names is pages of what is there now, without the contents of the objects.
func (w *watcher) names(ctx context.Context, visit func([]metav1.Object) error) (string, error) {
	client := w.Metadata.Resource(w.mapping.Resource).Namespace(w.namespace)
	opts := w.narrow(metav1.ListOptions{Limit: w.PageSize})
	for {
		page, err := client.List(ctx, opts)
		if err != nil {
			return "", fmt.Errorf("list %s: %w", w, err)
		}
		objects := make([]metav1.Object, len(page.Items))
		for i := range page.Items {
			objects[i] = &page.Items[i]
		}
		if err := visit(objects); err != nil {
			return "", err
		}
		if opts.Continue = page.Continue; opts.Continue == "" {
			return page.ResourceVersion, nil
		}
	}
}

// begin takes stock of the objects that exist, which are no news, and starts
// the watch there. Objects of before that are gone are news.
func (w *watcher) begin(ctx context.Context, sink source.Sink) error {
	list := w.names
	if !w.lens.empty() {
		list = func(ctx context.Context, visit func([]metav1.Object) error) (string, error) {
			return w.pages(ctx, "", visit)
		}
	}
	left := maps.Clone(w.inventory.entries)
	reached, err := list(ctx, func(page []metav1.Object) error {
		entries := make(map[string]*store.Entry, len(page))
		for _, o := range page {
			key := keyOf(o.GetNamespace(), o.GetName())
			delete(left, key)
			if id, _ := identify(string(o.GetUID())); w.inventory.has(key) && w.inventory.entries[key].identity != id {
				if err := w.bury(ctx, sink, key, nil); err != nil {
					return err
				}
			}
			w.remember(key, o)
			entries[key] = w.entry(key, o)
		}
		w.progress.note(entries)
		return nil
	})
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(left)) {
		if err := w.bury(ctx, sink, key, nil); err != nil {
			return err
		}
	}
	w.members.restart()
	w.progress.lose(broken)
	w.reach(reached)
	w.started, w.recalled = true, true
	return nil
}

// compare delivers what differs between the objects that exist and the
// inventory, and goes on with the watch there. It may be repeated after an
// error: what was delivered is no longer a difference.
func (w *watcher) compare(ctx context.Context, sink source.Sink) error {
	w.progress.lose(broken)
	clear(w.graves)
	left := maps.Clone(w.inventory.entries)
	reached, err := w.pages(ctx, "", func(page []metav1.Object) error {
		for _, o := range page {
			key := keyOf(o.GetNamespace(), o.GetName())
			delete(left, key)
			if err := w.observe(ctx, sink, o, "", w.members.found(versionOf(o.GetResourceVersion()))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(left)) {
		if err := w.bury(ctx, sink, key, w.members.found(0)); err != nil {
			return err
		}
	}
	w.members.skip(versionOf(reached))
	w.reach(reached)
	w.recalled = true
	return nil
}

// announce delivers the objects that exist to the triggers that ask for that
// and were not told yet: as they were where the watch begins for them, if the
// API server still has that.
func (w *watcher) announce(ctx context.Context, sink source.Sink) error {
	group := w.members.waiting()
	if len(group) == 0 || w.announced == everything {
		return nil
	}
	deliver := func(page []metav1.Object) error {
		for _, o := range page {
			key := keyOf(o.GetNamespace(), o.GetName())
			to := w.members.behind(key)
			if key <= w.announced || to != nil && len(to) == 0 {
				continue
			}
			if err := w.announceOne(ctx, sink, group, o.(*unstructured.Unstructured), to); err != nil {
				return err
			}
			w.announced = key
		}
		return nil
	}
	_, err := w.pages(ctx, w.members.start(w.position), deliver)
	if err != nil && isHistoryGone(err) {
		_, err = w.pages(ctx, "", deliver)
	}
	if err != nil {
		return err
	}
	w.announced = everything
	w.announcing.Pass(everything)
	low, _ := w.announcing.Low()
	w.members.announce(group, low)
	return nil
}

func (w *watcher) announceOne(ctx context.Context, sink source.Sink, group []*member, o *unstructured.Unstructured, to []event.Trigger) error {
	ev := happened(event.Sync, w.joined(), o, w.Clock.Now())
	ev.For = to
	passed, cancel := w.announcing.Begin(ev.Key)
	done := func() {
		passed()
		low, _ := w.announcing.Low()
		w.members.announce(group, low)
	}
	if err := sink.Deliver(ctx, ev, done); err != nil {
		cancel()
		return fmt.Errorf("deliver %s: %w", ev.ID, err)
	}
	return nil
}

// recheck forgets the position where the API server's state is older than it,
// as after a restore of etcd: a watch from the future would stay silent until
// that future comes. Otherwise what happened up to now is not for triggers that
// are new.
func (w *watcher) recheck(ctx context.Context) error {
	client := w.Metadata.Resource(w.mapping.Resource).Namespace(w.namespace)
	page, err := client.List(ctx, w.narrow(metav1.ListOptions{Limit: 1}))
	if err != nil {
		return fmt.Errorf("list %s: %w", w, err)
	}
	now := versionOf(page.ResourceVersion)
	if now.before(versionOf(w.position)) {
		logr.FromContextOrDiscard(ctx).Info("the API server went back in time; comparing all objects",
			"from", w.position, "to", page.ResourceVersion)
		w.position = ""
		return nil
	}
	w.members.admit(now)
	return nil
}

// abandon delivers that all objects are gone, because their kind is. When it
// comes back, the objects that then exist count as existing at first.
func (w *watcher) abandon(ctx context.Context, sink source.Sink) error {
	if w.started {
		w.members.forget()
		w.progress.lose(never)
		clear(w.graves)
		w.position, w.announced, w.announcing = "", "", &mark{}
	}
	w.started, w.stale = false, false
	for _, key := range slices.Sorted(maps.Keys(w.inventory.entries)) {
		if err := w.bury(ctx, sink, key, nil); err != nil {
			return err
		}
	}
	return nil
}
