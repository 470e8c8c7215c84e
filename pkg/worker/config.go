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

// Package worker connects a worker to its TriggerServices.
//
// Services watches the TriggerServices of a worker. Its ConfigWatchers return each accepted
// version that the controller has signed for a TriggerService and assigned to this worker:
// nothing else runs. A Status collects the state and the counts of the triggers, and a Reporter writes
// them to the TriggerService's status and records Kubernetes events.
package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/acceptance"
	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// debounce is how long a configuration must be unchanged before Next returns it, so that
// several changes of a TriggerService and of its actions are applied together.
const debounce = 200 * time.Millisecond

// Config is what a worker runs of a TriggerService.
type Config struct {
	// Service is the TriggerService with the spec and generation of its accepted version.
	// It is nil if there is nothing to run: the TriggerService does not exist, no version
	// was accepted yet, or another worker runs it.
	Service *v1alpha1.TriggerService
	// WebhookPort is the port of its webhooks; 0 for that of the worker.
	WebhookPort int32
	// Shared is set if the worker runs other TriggerServices, too.
	Shared bool
	// AccountMissing is set if the ServiceAccount that the triggers act as does not exist.
	AccountMissing bool
	// Actions has the active templates that are not built in, by action type.
	Actions map[string]string
	// InvalidActions has the reasons why actions have no active template, by action type.
	InvalidActions map[string]string
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
		equality.Semantic.DeepEqual(c.Service.Spec, d.Service.Spec) && c.WebhookPort == d.WebhookPort && c.AccountMissing == d.AccountMissing &&
		maps.Equal(c.Rejected, d.Rejected) && maps.Equal(c.Actions, d.Actions) && maps.Equal(c.InvalidActions, d.InvalidActions)
}

// Reject returns the reason why the named trigger must not be compiled, or "". It has
// the signature that trigger.CompileService expects.
func (c Config) Reject(_ int, name, _ string) string { return c.Rejected[name] }

// ConfigWatcher holds the latest configuration of a TriggerService. It is safe for
// concurrent use.
type ConfigWatcher struct {
	// Name is the TriggerService.
	Name types.NamespacedName

	options  WatchOptions
	accounts *accounts

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
	// generation is the latest accepted generation of the TriggerService uid.
	generation int64
	// ignored is the reason why definition is ignored, or "".
	ignored string
	// deleted is set once the TriggerService is deleted.
	deleted bool
	// changed is closed, and replaced, when current changes.
	changed chan struct{}
}

// update changes what is known of the TriggerService, and evaluates it.
func (w *ConfigWatcher) update(change func(*ConfigWatcher)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
	w.evaluate()
}

// evaluate sets the current configuration from what is known. A missing or ignored
// accepted version leaves it as it is. w.mu must be held.
func (w *ConfigWatcher) evaluate() {
	next, ignored := w.next()
	if w.service != nil && ignored != w.ignored && w.options.OnIgnored != nil {
		w.options.OnIgnored(w.service, ignored)
	}
	w.ignored = ignored
	if w.deleted || !next.Equal(w.current) {
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
	if w.uid != w.service.UID {
		next, w.uid, w.generation, w.opened = Config{}, w.service.UID, 0, nil
	}
	if next.Service != nil {
		next.AccountMissing = w.accounts.uid(trigger.Account(next.Service)) == ""
	}
	if w.definition == nil {
		return next, ""
	}
	if w.opened != w.definition { // verify and decode each Definition once
		w.opened = w.definition
		w.version, w.openErr = acceptance.Open(w.options.Key, w.definition, w.service)
	}
	v := w.version
	switch {
	case w.openErr != nil:
		return next, w.openErr.Error()
	case v.Generation < w.generation:
		return next, fmt.Sprintf("accepted version in Definition %s/%s: it has the generation %d, which is older than the accepted one, %d",
			w.definition.Namespace, w.definition.Name, v.Generation, w.generation)
	case v.Worker != w.options.Worker:
		w.generation = v.Generation
		return Config{}, ""
	}
	w.generation = v.Generation
	service := w.service.DeepCopy()
	service.Spec, service.Generation = v.Spec, v.Generation
	return Config{
		Service: service, Actions: v.Actions, InvalidActions: v.InvalidActions, Rejected: v.Rejected, WebhookPort: v.WebhookPort, Shared: w.options.Name == "",
		AccountMissing: w.accounts.uid(trigger.Account(service)) == "",
	}, ""
}

// assigned reports whether there is a configuration to run.
func (w *ConfigWatcher) assigned() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.current.Service != nil
}

// Ignored returns the reason why the accepted version is ignored, or "".
func (w *ConfigWatcher) Ignored() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ignored
}

// ErrDeleted is the error of Next for a deleted TriggerService.
var ErrDeleted = errors.New("the TriggerService was deleted")

// Next blocks until the configuration differs from c and is unchanged for the debounce
// period. It returns that configuration, the cause of ctx's end, or ErrDeleted.
func (w *ConfigWatcher) Next(ctx context.Context, c Config) (Config, error) {
	for {
		w.mu.Lock()
		current, changed, deleted := w.current, w.changed, w.deleted
		w.mu.Unlock()
		if deleted {
			return Config{}, ErrDeleted
		}
		var settled <-chan time.Time
		if !current.Equal(c) {
			settled = w.options.Clock.After(debounce)
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
