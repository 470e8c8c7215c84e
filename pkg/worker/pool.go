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
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// again is how long a TriggerService that could not be served waits, ± half.
const again = 5 * time.Second

// Pool serves many TriggerServices.
type Pool struct {
	// Wants reports whether it serves ts.
	Wants func(ts *v1alpha1.TriggerService) bool
	// Serve serves one until ctx ends. When it returns before, it is called again
	// after a while.
	Serve func(ctx context.Context, name types.NamespacedName, f *Follower) error
	Clock clock.Clock

	mu      sync.Mutex
	served  map[types.NamespacedName]served
	actions map[types.NamespacedName]*corev1alpha1.Definition
	serving sync.WaitGroup
}

// served is a TriggerService that is served.
type served struct {
	follower *Follower
	stop     context.CancelFunc
}

// Run serves the TriggerServices that objects have, until ctx ends.
func (p *Pool) Run(ctx context.Context, objects cache.Cache) error {
	p.served, p.actions = map[types.NamespacedName]served{}, map[types.NamespacedName]*corev1alpha1.Definition{}
	for _, o := range []client.Object{&corev1alpha1.Definition{}, &v1alpha1.TriggerService{}} {
		informer, err := objects.GetInformer(ctx, o)
		if err != nil {
			return fmt.Errorf("follow TriggerServices: %w", err)
		}
		registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { p.take(ctx, o) },
			UpdateFunc: func(_, now any) { p.take(ctx, now) },
			DeleteFunc: p.drop,
		})
		if err != nil {
			return fmt.Errorf("follow TriggerServices: %w", err)
		}
		defer func() { _ = informer.RemoveEventHandler(registration) }() // it goes with the cache
	}
	<-ctx.Done()
	p.serving.Wait()
	return nil
}

func (p *Pool) take(ctx context.Context, o any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch o := o.(type) {
	case *v1alpha1.TriggerService:
		key := client.ObjectKeyFromObject(o)
		if !p.Wants(o) || !o.DeletionTimestamp.IsZero() {
			p.end(key)
			return
		}
		s, ok := p.served[key]
		if !ok {
			s = p.begin(ctx, key)
		}
		s.follower.Take(o)
	case *corev1alpha1.Definition:
		key, ok := ofService(o)
		if !ok {
			return
		}
		p.actions[key] = o
		if s, ok := p.served[key]; ok {
			s.follower.Take(o)
		}
	}
}

func (p *Pool) drop(o any) {
	if last, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
		o = last.Obj
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch o := o.(type) {
	case *v1alpha1.TriggerService:
		p.end(client.ObjectKeyFromObject(o))
	case *corev1alpha1.Definition:
		key, ok := ofService(o)
		if !ok {
			return
		}
		delete(p.actions, key)
		if s, ok := p.served[key]; ok {
			s.follower.Drop(o)
		}
	}
}

// ofService returns the TriggerService that d holds the actions of.
func ofService(d *corev1alpha1.Definition) (types.NamespacedName, bool) {
	owner := metav1.GetControllerOf(d)
	if owner == nil || owner.Kind != v1alpha1.TriggerServiceKind || d.Spec.Type != corev1alpha1.TriggerActionsInForce {
		return types.NamespacedName{}, false
	}
	return types.NamespacedName{Namespace: d.Namespace, Name: owner.Name}, true
}

// begin serves a TriggerService. The lock is held.
func (p *Pool) begin(ctx context.Context, key types.NamespacedName) served {
	ctx, stop := context.WithCancel(ctx)
	s := served{follower: NewFollower(p.Clock), stop: stop}
	if d, ok := p.actions[key]; ok {
		s.follower.Take(d)
	}
	p.served[key] = s
	log := logr.FromContextOrDiscard(ctx).WithValues("triggerService", key.String())
	ctx = logr.NewContext(ctx, log)
	p.serving.Go(func() {
		for ctx.Err() == nil {
			if err := p.Serve(ctx, key, s.follower); err != nil && ctx.Err() == nil {
				log.Error(err, "TriggerService not served; trying again")
			}
			select {
			case <-ctx.Done():
			case <-p.Clock.After(again/2 + rand.N(again)):
			}
		}
	})
	return s
}

// end stops serving a TriggerService. The lock is held.
func (p *Pool) end(key types.NamespacedName) {
	if s, ok := p.served[key]; ok {
		s.stop()
		delete(p.served, key)
	}
}
