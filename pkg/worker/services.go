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

package worker

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/acceptance"
	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// WatchOptions configure Watch.
type WatchOptions struct {
	// Namespace is the namespace of the TriggerServices.
	Namespace string
	// Name is the only TriggerService to watch. Empty for all of the namespace.
	Name string
	// Worker is the name of the worker's Deployment: versions that are assigned to another
	// one are not run.
	Worker string
	// Key is the public key of the controller.
	Key   ed25519.PublicKey
	Clock clock.Clock
	// OnIgnored is called with the reason why the accepted version of a TriggerService is
	// ignored when the reason changes, and with "" once it is not ignored any more. What
	// ran before continues. It must not block.
	OnIgnored func(ts *v1alpha1.TriggerService, reason string)
}

// Services watches the TriggerServices of a worker, their accepted versions, and the
// ServiceAccounts of the namespace. It is safe for concurrent use.
type Services struct {
	options  WatchOptions
	accounts *accounts

	mu sync.Mutex
	// watchers and byDefinition have an element for each TriggerService, by its name and by
	// the name of the Definition with its accepted version.
	watchers, byDefinition map[string]*ConfigWatcher
	// definitions are those without a TriggerService.
	definitions map[string]*corev1alpha1.Definition
	// started is called with each new watcher; nil before Run.
	started func(*ConfigWatcher)
}

// Watch watches until ctx ends. It returns once all objects have been read.
func Watch(ctx context.Context, config *rest.Config, o WatchOptions) (*Services, error) {
	s := &Services{
		options: o, accounts: &accounts{uids: map[string]types.UID{}},
		watchers: map[string]*ConfigWatcher{}, byDefinition: map[string]*ConfigWatcher{}, definitions: map[string]*corev1alpha1.Definition{},
	}
	fail := func(err error) (*Services, error) {
		return nil, fmt.Errorf("watch TriggerServices in namespace %s: %w", o.Namespace, err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1alpha1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			return fail(err)
		}
	}
	ts, definition, account := &v1alpha1.TriggerService{}, &corev1alpha1.Definition{}, &corev1.ServiceAccount{}
	selected := map[client.Object]cache.ByObject{definition: {Label: labels.SelectorFromSet(acceptance.Labels())}}
	if o.Name != "" {
		selected[ts] = cache.ByObject{Field: fields.OneTermEqualSelector("metadata.name", o.Name)}
		selected[definition] = cache.ByObject{Field: fields.OneTermEqualSelector("metadata.name", trigger.AcceptedName(o.Name))}
	}
	objects, err := cache.New(config, cache.Options{
		Scheme: scheme, DefaultNamespaces: map[string]cache.Config{o.Namespace: {}}, ByObject: selected,
	})
	if err != nil {
		return fail(err)
	}
	for _, watched := range []client.Object{ts, definition, account} {
		informer, err := objects.GetInformer(ctx, watched, cache.BlockUntilSynced(false))
		if err == nil {
			_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
				AddFunc:    s.update,
				UpdateFunc: func(_, updated any) { s.update(updated) },
				DeleteFunc: s.delete,
			})
		}
		if err != nil {
			return fail(err)
		}
	}
	go func() { _ = objects.Start(ctx) }() // returns nil when ctx ends, and no other error
	if !objects.WaitForCacheSync(ctx) {
		return fail(errors.Join(errors.New("cache not synced"), context.Cause(ctx)))
	}
	return s, nil
}

// Run calls run for each TriggerService, concurrently, and again when one is created. It
// returns when ctx has ended and all calls have returned.
func (s *Services) Run(ctx context.Context, run func(context.Context, *ConfigWatcher)) {
	var calls sync.WaitGroup
	s.mu.Lock()
	s.started = func(w *ConfigWatcher) {
		if ctx.Err() == nil {
			calls.Go(func() { run(ctx, w) })
		}
	}
	for _, w := range s.watchers {
		s.started(w)
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.started = nil
	s.mu.Unlock()
	calls.Wait()
}

// Assigned returns the names of the TriggerServices that this worker runs.
func (s *Services) Assigned() []string {
	s.mu.Lock()
	watchers := slices.Collect(maps.Values(s.watchers))
	s.mu.Unlock()
	var names []string
	for _, w := range watchers {
		if w.assigned() {
			names = append(names, w.Name.Name)
		}
	}
	return names
}

// update handles a created or updated object.
func (s *Services) update(o any) {
	switch o := o.(type) {
	case *v1alpha1.TriggerService:
		s.watcher(o.Name).update(func(w *ConfigWatcher) {
			w.service = o.DeepCopy()
			w.service.Spec, w.service.Generation = v1alpha1.TriggerServiceSpec{}, 0 // unchecked
		})
	case *corev1alpha1.Definition:
		s.mu.Lock()
		w := s.byDefinition[o.Name]
		if w == nil {
			s.definitions[o.Name] = o
		}
		s.mu.Unlock()
		if w != nil {
			w.update(func(w *ConfigWatcher) { w.definition = o })
		}
	case *corev1.ServiceAccount:
		s.setAccount(o.Name, o.UID)
	}
}

// delete handles a deleted object.
func (s *Services) delete(o any) {
	if last, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
		o = last.Obj
	}
	switch o := o.(type) {
	case *v1alpha1.TriggerService:
		s.remove(o.Name)
	case *corev1alpha1.Definition:
		s.mu.Lock()
		w := s.byDefinition[o.Name]
		delete(s.definitions, o.Name)
		s.mu.Unlock()
		if w != nil {
			w.update(func(w *ConfigWatcher) { w.definition = nil })
		}
	case *corev1.ServiceAccount:
		s.setAccount(o.Name, "")
	}
}

// watcher returns the watcher of a TriggerService, which it starts if it is new.
func (s *Services) watcher(name string) *ConfigWatcher {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.watchers[name]
	if w == nil {
		accepted := trigger.AcceptedName(name)
		w = &ConfigWatcher{
			Name: types.NamespacedName{Namespace: s.options.Namespace, Name: name}, options: s.options, accounts: s.accounts,
			definition: s.definitions[accepted], changed: make(chan struct{}),
		}
		delete(s.definitions, accepted)
		s.watchers[name], s.byDefinition[accepted] = w, w
		if s.started != nil {
			s.started(w)
		}
	}
	return w
}

// remove removes the watcher of a deleted TriggerService.
func (s *Services) remove(name string) {
	s.mu.Lock()
	w := s.watchers[name]
	accepted := trigger.AcceptedName(name)
	delete(s.watchers, name)
	delete(s.byDefinition, accepted)
	s.mu.Unlock()
	if w == nil {
		return
	}
	w.update(func(w *ConfigWatcher) {
		if w.definition != nil { // until it is deleted, too
			s.mu.Lock()
			s.definitions[accepted] = w.definition
			s.mu.Unlock()
		}
		w.service, w.deleted = nil, true
	})
}

// Account returns the UID of a ServiceAccount of the namespace; "" if it does not exist.
func (s *Services) Account(name string) types.UID { return s.accounts.uid(name) }

// setAccount records the UID of a ServiceAccount; "" if it does not exist.
func (s *Services) setAccount(name string, uid types.UID) {
	s.accounts.set(name, uid)
	s.mu.Lock()
	watchers := slices.Collect(maps.Values(s.watchers))
	s.mu.Unlock()
	for _, w := range watchers {
		w.update(func(*ConfigWatcher) {})
	}
}

// accounts are the ServiceAccounts of a namespace. It is safe for concurrent use.
type accounts struct {
	mu   sync.Mutex
	uids map[string]types.UID
}

func (a *accounts) set(name string, uid types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.uids[name] = uid; uid == "" {
		delete(a.uids, name)
	}
}

// uid returns the UID of a ServiceAccount; "" if it does not exist.
func (a *accounts) uid(name string) types.UID {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.uids[name]
}
