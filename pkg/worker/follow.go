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

// Package worker is what the worker of a TriggerService does besides running
// its triggers: it follows the TriggerService and the actions that are in force
// for it, and says in its status what the triggers do.
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
	// debounce is how long nothing may change before a change counts, so that a
	// TriggerService and the actions that it needs are taken together.
	debounce = 200 * time.Millisecond
	// validationTimeout is how long the worker waits for the controller to check a change:
	// as long as it takes to find what needs too much among as many triggers as there
	// may be. It does not wait for ever, since the controller may be gone.
	validationTimeout = time.Minute
)

// Config is what a worker runs.
type Config struct {
	// Service is nil where it does not exist.
	Service *v1alpha1.TriggerService
	// Actions are the templates that are in force besides those built in, by
	// name.
	Actions map[string]string
}

// Equal reports whether c and d run the same.
func (c Config) Equal(d Config) bool {
	if c.Service == nil || d.Service == nil {
		return c.Service == nil && d.Service == nil
	}
	return c.Service.UID == d.Service.UID && c.Service.Generation == d.Service.Generation &&
		slices.Equal(c.Service.Status.Refused, d.Service.Status.Refused) && maps.Equal(c.Actions, d.Actions)
}

// validated reports whether the controller has checked what c runs.
func (c Config) validated() bool {
	return c.Service == nil || c.Service.Status.ObservedGeneration == c.Service.Generation
}

// Reject returns why the trigger of a name must not be compiled, "" where it
// may.
func (c Config) Reject(_ int, name string) string {
	if slices.Contains(c.Service.Status.Refused, name) {
		return "its CUE takes too much memory or time"
	}
	return ""
}

// ConfigWatcher knows what a worker is to run.
type ConfigWatcher struct {
	clock clock.Clock

	mu      sync.Mutex
	current Config
	// changed is closed, and replaced, when current changes.
	changed chan struct{}
}

// newConfigWatcher returns a Follower of what it is told.
func newConfigWatcher(c clock.Clock) *ConfigWatcher {
	return &ConfigWatcher{clock: c, changed: make(chan struct{})}
}

// WatchConfig follows a TriggerService until ctx ends, with two watches of one object
// each. It returns when it knows them.
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
		return nil, fmt.Errorf("follow TriggerService %s: %w", name, err)
	}
	f := newConfigWatcher(c)
	for _, o := range []client.Object{ts, definition} {
		informer, err := objects.GetInformer(ctx, o, cache.BlockUntilSynced(false))
		if err == nil {
			_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
				AddFunc:    f.update,
				UpdateFunc: func(_, now any) { f.update(now) },
				DeleteFunc: f.delete,
			})
		}
		if err != nil {
			return nil, fmt.Errorf("follow TriggerService %s: %w", name, err)
		}
	}
	go func() { _ = objects.Start(ctx) }() // it ends with ctx, and returns no other error
	if !objects.WaitForCacheSync(ctx) {
		return nil, fmt.Errorf("follow TriggerService %s: %w", name, errors.Join(errors.New("not read"), context.Cause(ctx)))
	}
	return f, nil
}

// update notes a TriggerService, or the Definition of its actions in force.
func (f *ConfigWatcher) update(o any) {
	f.change(func(c *Config) {
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

// delete notes that one of them is gone.
func (f *ConfigWatcher) delete(o any) {
	if last, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
		o = last.Obj
	}
	f.change(func(c *Config) {
		switch o.(type) {
		case *v1alpha1.TriggerService:
			c.Service = nil
		case *corev1alpha1.Definition:
			c.Actions = nil
		}
	})
}

func (f *ConfigWatcher) change(by func(*Config)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.current
	by(&f.current)
	if !f.current.Equal(before) || f.current.validated() != before.validated() {
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

// Next returns the configuration as soon as it is other than c, was checked by
// the controller, and has not changed for a moment; or the cause with which ctx
// ended.
func (f *ConfigWatcher) Next(ctx context.Context, c Config) (Config, error) {
	for {
		f.mu.Lock()
		current, changed := f.current, f.changed
		f.mu.Unlock()
		var settled <-chan time.Time
		if !current.Equal(c) {
			wait := debounce
			if !current.validated() {
				wait = validationTimeout
			}
			settled = f.clock.After(wait)
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
