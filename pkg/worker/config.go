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
// A ConfigWatcher watches the TriggerService and the templates of its actions, and
// returns each new configuration once the controller has validated it. A Status
// collects the state and the counts of the triggers, and a Reporter writes them to the
// TriggerService's status and records Kubernetes events.
package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

const (
	// debounce is how long a configuration must be unchanged before Next returns it,
	// so that changes of a TriggerService and of its actions are applied together.
	debounce = 200 * time.Millisecond
	// validationTimeout is how long the worker waits for the controller to validate a
	// change. It covers the check of the maximum number of triggers. After it the
	// worker runs the change anyway, since the controller may be down.
	validationTimeout = time.Minute
)

// Config is the configuration of a worker.
type Config struct {
	// Service is nil if the TriggerService does not exist.
	Service *v1alpha1.TriggerService
	// Actions has the active templates that are not built in, by action type.
	Actions map[string]string
}

// Equal reports whether c and d run the same triggers. Differences of the status
// other than rejected triggers are ignored.
func (c Config) Equal(d Config) bool {
	if c.Service == nil || d.Service == nil {
		return c.Service == nil && d.Service == nil
	}
	return c.Service.UID == d.Service.UID && c.Service.Generation == d.Service.Generation &&
		slices.Equal(c.Service.Status.RejectedTriggers, d.Service.Status.RejectedTriggers) && maps.Equal(c.Actions, d.Actions)
}

// validated reports whether the controller has validated this generation.
func (c Config) validated() bool {
	return c.Service == nil || c.Service.Status.ObservedGeneration == c.Service.Generation
}

// Reject returns the reason why the named trigger must not be compiled, or "". It has
// the signature that trigger.CompileService expects.
func (c Config) Reject(_ int, name, _ string) string {
	if slices.Contains(c.Service.Status.RejectedTriggers, name) {
		return "CUE exceeds the memory or time limit"
	}
	return ""
}

// ConfigWatcher holds the latest configuration of a worker. It is safe for concurrent
// use.
type ConfigWatcher struct {
	clock clock.Clock

	mu      sync.Mutex
	current Config
	// changed is closed, and replaced, when current changes.
	changed chan struct{}
}

func newConfigWatcher(c clock.Clock) *ConfigWatcher {
	return &ConfigWatcher{clock: c, changed: make(chan struct{})}
}

// WatchConfig watches a TriggerService and the Definition of its actions until ctx
// ends. It returns once both have been read.
func WatchConfig(ctx context.Context, config *rest.Config, name types.NamespacedName, c clock.Clock) (*ConfigWatcher, error) {
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
		ByObject:          map[client.Object]cache.ByObject{ts: named(name.Name), definition: named(trigger.ActionsName(name.Name))},
	})
	if err != nil {
		return nil, fmt.Errorf("watch TriggerService %s: %w", name, err)
	}
	w := newConfigWatcher(c)
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
	w.change(func(c *Config) {
		switch o := o.(type) {
		case *v1alpha1.TriggerService:
			c.Service = o.DeepCopy()
		case *corev1alpha1.Definition:
			if o.Spec.Type == corev1alpha1.TriggerActionsInForce {
				c.Actions = maps.Clone(o.Spec.Templates)
			}
		}
	})
}

// delete handles a deleted TriggerService or Definition.
func (w *ConfigWatcher) delete(o any) {
	if last, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
		o = last.Obj
	}
	w.change(func(c *Config) {
		switch o.(type) {
		case *v1alpha1.TriggerService:
			c.Service = nil
		case *corev1alpha1.Definition:
			c.Actions = nil
		}
	})
}

func (w *ConfigWatcher) change(apply func(*Config)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.current
	apply(&w.current)
	if !w.current.Equal(before) || w.current.validated() != before.validated() {
		close(w.changed)
		w.changed = make(chan struct{})
	}
}

// Next blocks until the configuration differs from c, is validated by the controller
// or validationTimeout has passed, and is unchanged for the debounce period. It
// returns that configuration, or the cause of ctx's end.
func (w *ConfigWatcher) Next(ctx context.Context, c Config) (Config, error) {
	for {
		w.mu.Lock()
		current, changed := w.current, w.changed
		w.mu.Unlock()
		var settled <-chan time.Time
		if !current.Equal(c) {
			wait := debounce
			if !current.validated() {
				wait = validationTimeout
			}
			settled = w.clock.After(wait)
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
