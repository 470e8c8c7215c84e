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

// Package worker connects a worker to its TriggerService.
//
// A ConfigWatcher watches the TriggerService and its accepted version, and returns each
// accepted version that the controller has signed for this TriggerService: nothing else
// runs. A Status collects the state and the counts of the triggers, and a Reporter writes
// them to the TriggerService's status and records Kubernetes events.
package worker

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/fields"
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

// debounce is how long a configuration must be unchanged before Next returns it, so that
// several changes of a TriggerService and of its actions are applied together.
const debounce = 200 * time.Millisecond

// Config is the configuration of a worker.
type Config struct {
	// Service is the TriggerService with the spec and generation of its accepted version.
	// It is nil if the TriggerService does not exist, and has no triggers if another one
	// of the same name has replaced it.
	Service *v1alpha1.TriggerService
	// Actions has the active templates that are not built in, by action type.
	Actions map[string]string
	// Rejected has the reasons why triggers must not be compiled, by their names.
	Rejected map[string]string
}

// Equal reports whether c and d run the same triggers. Differences of the status are
// ignored.
func (c Config) Equal(d Config) bool {
	if c.Service == nil || d.Service == nil {
		return c.Service == nil && d.Service == nil
	}
	return c.Service.UID == d.Service.UID && c.Service.Generation == d.Service.Generation &&
		maps.Equal(c.Rejected, d.Rejected) && maps.Equal(c.Actions, d.Actions)
}

// Reject returns the reason why the named trigger must not be compiled, or "". It has
// the signature that trigger.CompileService expects.
func (c Config) Reject(_ int, name, _ string) string { return c.Rejected[name] }

// WatchOptions configure WatchConfig.
type WatchOptions struct {
	// Key is the public key of the controller.
	Key   ed25519.PublicKey
	Clock clock.Clock
	// OnIgnored is called with the reason why the accepted version of a TriggerService is
	// ignored when the reason changes, and with "" once it is not ignored any more. What
	// ran before continues. It must not block.
	OnIgnored func(ts *v1alpha1.TriggerService, reason string)
}

// ConfigWatcher holds the latest configuration of a worker. It is safe for concurrent
// use.
type ConfigWatcher struct {
	WatchOptions

	mu      sync.Mutex
	current Config
	// service is the TriggerService without spec and generation, and definition the one with its
	// accepted version; they are nil if they do not exist.
	service    *v1alpha1.TriggerService
	definition *corev1alpha1.Definition
	// version and openErr are the result of opening the Definition opened for the UID.
	version acceptance.Version
	openErr error
	opened  *corev1alpha1.Definition
	uid     types.UID
	// ignored is the reason why definition is ignored, or "".
	ignored string
	// changed is closed, and replaced, when current changes.
	changed chan struct{}
}

// WatchConfig watches a TriggerService and its accepted version until ctx ends. It returns
// once both have been read.
func WatchConfig(ctx context.Context, config *rest.Config, name types.NamespacedName, o WatchOptions) (*ConfigWatcher, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	ts, definition := &v1alpha1.TriggerService{}, &corev1alpha1.Definition{}
	named := func(name string) cache.ByObject {
		return cache.ByObject{Field: fields.OneTermEqualSelector("metadata.name", name)}
	}
	objects, err := cache.New(config, cache.Options{
		Scheme:            scheme,
		DefaultNamespaces: map[string]cache.Config{name.Namespace: {}},
		ByObject:          map[client.Object]cache.ByObject{ts: named(name.Name), definition: named(trigger.AcceptedName(name.Name))},
	})
	if err != nil {
		return nil, fmt.Errorf("watch TriggerService %s: %w", name, err)
	}
	w := &ConfigWatcher{WatchOptions: o, changed: make(chan struct{})}
	for _, o := range []client.Object{ts, definition} {
		informer, err := objects.GetInformer(ctx, o, cache.BlockUntilSynced(false))
		if err == nil {
			_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
				AddFunc:    w.update,
				UpdateFunc: func(_, updated any) { w.update(updated) },
				DeleteFunc: w.delete,
			})
		}
		if err != nil {
			return nil, fmt.Errorf("watch TriggerService %s: %w", name, err)
		}
	}
	go func() { _ = objects.Start(ctx) }() // returns nil when ctx ends, and no other error
	if !objects.WaitForCacheSync(ctx) {
		return nil, fmt.Errorf("watch TriggerService %s: %w", name, errors.Join(errors.New("cache not synced"), context.Cause(ctx)))
	}
	return w, nil
}

// update handles a created or updated TriggerService or Definition.
func (w *ConfigWatcher) update(o any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch o := o.(type) {
	case *v1alpha1.TriggerService:
		w.service = o.DeepCopy()
		w.service.Spec, w.service.Generation = v1alpha1.TriggerServiceSpec{}, 0 // unchecked
	case *corev1alpha1.Definition:
		w.definition = o
	}
	w.evaluate()
}

// delete handles a deleted TriggerService or Definition.
func (w *ConfigWatcher) delete(o any) {
	if last, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
		o = last.Obj
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch o.(type) {
	case *v1alpha1.TriggerService:
		w.service = nil
	case *corev1alpha1.Definition:
		w.definition = nil
	}
	w.evaluate()
}

// evaluate sets the current configuration from what is known. A missing or ignored
// accepted version leaves it as it is. w.mu must be held.
func (w *ConfigWatcher) evaluate() {
	next, ignored := w.next()
	if w.service != nil && ignored != w.ignored && w.OnIgnored != nil {
		w.OnIgnored(w.service, ignored)
	}
	w.ignored = ignored
	if !next.Equal(w.current) {
		close(w.changed)
		w.changed = make(chan struct{})
	}
	w.current = next
}

// next returns the configuration that follows the current one, and the reason why the
// accepted version is ignored, or "".
func (w *ConfigWatcher) next() (next Config, ignored string) {
	if w.service == nil {
		return Config{}, ""
	}
	next = w.current
	if running := next.Service; running != nil && running.UID != w.service.UID {
		next = Config{Service: w.service}
	}
	if w.definition == nil {
		return next, ""
	}
	v, err := w.open()
	if err != nil {
		return next, err.Error()
	}
	if next.Service != nil && v.Generation < next.Service.Generation {
		return next, fmt.Sprintf("accepted version in Definition %s/%s: it has the generation %d, which is older than the running one, %d",
			w.definition.Namespace, w.definition.Name, v.Generation, next.Service.Generation)
	}
	service := w.service.DeepCopy()
	service.Spec, service.Generation = v.Spec, v.Generation
	return Config{Service: service, Actions: v.Actions, Rejected: v.Rejected}, ""
}

// open returns the version in definition. It verifies and decodes each Definition once.
func (w *ConfigWatcher) open() (acceptance.Version, error) {
	if w.opened != w.definition || w.uid != w.service.UID {
		w.opened, w.uid = w.definition, w.service.UID
		w.version, w.openErr = acceptance.Open(w.Key, w.definition, w.service)
	}
	return w.version, w.openErr
}

// Ignored returns the reason why the accepted version is ignored, or "".
func (w *ConfigWatcher) Ignored() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ignored
}

// Next blocks until the configuration differs from c and is unchanged for the debounce
// period. It returns that configuration, or the cause of ctx's end.
func (w *ConfigWatcher) Next(ctx context.Context, c Config) (Config, error) {
	for {
		w.mu.Lock()
		current, changed := w.current, w.changed
		w.mu.Unlock()
		var settled <-chan time.Time
		if !current.Equal(c) {
			settled = w.Clock.After(debounce)
		}
		select {
		case <-ctx.Done():
			return Config{}, context.Cause(ctx)
		case <-changed:
		case <-settled:
			return current, nil
		}
	}
}
