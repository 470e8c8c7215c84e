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
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// Resumes are what a watch needs of a store to go on where it stopped.
type Resumes interface {
	Load(ctx context.Context, watch string) (store.Resume, error)
	Forget(ctx context.Context, watch string) error
	Watches(ctx context.Context) ([]string, error)
}

// Saver takes note of a change of a watch, which follows those before, and
// returns at once. Flush returns when all of them are in the store, or with the
// error of the one attempt that it makes. store.Saver is one.
type Saver interface {
	Save(watch string, c store.Change)
	Flush(ctx context.Context) error
}

// Prune forgets the watches that none of subscriptions, which are all that there
// are, stands for any more. A watch that is taken up again later starts anew.
func Prune(ctx context.Context, r Resumes, subscriptions []source.Subscription) error {
	return store.Prune(ctx, r, func(name string) bool {
		_, key, _ := strings.Cut(name, " ")
		return strings.HasPrefix(key, Type+":") &&
			!slices.ContainsFunc(subscriptions, func(s source.Subscription) bool { return stands(s, key) })
	}, r.Forget)
}

// stands reports whether s stands for the watch that key names, maybe with others
// and for others.
func stands(s source.Subscription, key string) bool {
	if s.Key() == key {
		return true
	}
	of, ok := s.(interface{ asked() subscription })
	if !ok || of.asked().cluster != anyCluster {
		return false
	}
	cluster, ok := of.asked().clusterOf(key)
	return ok && (of.asked().where.labels != nil || of.asked().where.names(cluster))
}

// load brings the watch to where it stopped, once.
func (w *watcher) load(ctx context.Context) error {
	if w.loaded || w.Resumes == nil {
		return nil
	}
	cluster, err := w.server(ctx)
	if err != nil {
		return err
	}
	name := cluster + " " + w.key()
	saved, err := w.Resumes.Load(ctx, name)
	if err != nil {
		return fmt.Errorf("resume %s: %w", w, err)
	}
	if w.FromNow && saved.Position != never {
		if err := w.Resumes.Forget(ctx, name); err != nil {
			return fmt.Errorf("resume %s: %w", w, err)
		}
		saved.Mark, saved.Inventory = store.Mark{}, nil
	}
	w.progress = newProgress(func(c store.Change) { w.Saver.Save(name, c) })
	w.members.save = func(triggers []string) { w.Saver.Save(name, store.Change{Triggers: triggers}) }
	w.members.load(saved.Triggers, saved.Position != never)
	w.restore(saved)
	w.loaded = true
	w.name.Store(&name)
	return nil
}

// restore takes over what was saved.
func (w *watcher) restore(saved store.Resume) {
	for key, e := range saved.Inventory {
		if isGrave(e) {
			w.graves[key] = versionOf(e.ResourceVersion)
			continue
		}
		w.inventory.put(key, e.UID, e.ResourceVersion)
		if !w.lens.empty() {
			w.inventory.sights[key] = w.lens.unpack(e.Seen)
		}
	}
	w.started = saved.Position != never
	if saved.Position != broken {
		w.position = saved.Position
	}
	w.progress.restore(saved.Position, w.graves)
	w.recalled = !w.started || w.lens.empty()
}

// server returns what tells the cluster from others: the UID of its namespace
// kube-system or, where that may not be read, the address of the API server.
func (w *watcher) server(ctx context.Context) (string, error) {
	namespaces := schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	system, err := w.Metadata.Resource(namespaces).Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	switch {
	case apierrors.IsForbidden(err), apierrors.IsNotFound(err):
		return w.Server, nil
	case err != nil:
		return "", fmt.Errorf("get namespace %s: %w", metav1.NamespaceSystem, err)
	}
	return string(system.UID), nil
}

// recall finds out, after a restart, what the fields were that triggers want to
// know the old state of: it lists the objects as they were when the watch
// stopped. Where the API server no longer has that, hashes that were saved stay
// all that is known.
func (w *watcher) recall(ctx context.Context) error {
	if w.recalled || w.allKnown() {
		w.recalled = true
		return nil
	}
	_, err := w.pages(ctx, w.position, func(page []metav1.Object) error {
		missed := map[string]*store.Entry{}
		for _, o := range page {
			key, v := keyOf(o.GetNamespace(), o.GetName()), versionOf(o.GetResourceVersion())
			if known, ok := w.inventory.entries[key]; !ok || known.version != v {
				continue // the stream brings what it was
			}
			before := w.inventory.sights[key]
			w.inventory.sights[key] = w.lens.see(before, dataOf(o))
			if !w.lens.complete(before) {
				missed[key] = w.entry(key, o)
			}
		}
		w.progress.note(missed)
		return nil
	})
	if err != nil && !isHistoryGone(err) {
		return err
	}
	w.recalled = true
	return nil
}

func (w *watcher) allKnown() bool {
	for key := range w.inventory.entries {
		if !w.lens.complete(w.inventory.sights[key]) {
			return false
		}
	}
	return true
}
