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

package cluster

import (
	"context"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// DeadLetterWatch watches the dead letters of all stores of a namespace: how many there are,
// and which are to be replayed. It is safe for concurrent use.
type DeadLetterWatch struct {
	mu sync.Mutex
	// counts has the number of dead letters by owner, as its label has it, and replays a
	// channel for each owner that has asked for it.
	counts  map[string]int
	replays map[string]chan struct{}
}

// WatchDeadLetters watches the dead letters of a namespace until ctx ends. Until they have been
// read, it knows of none.
func WatchDeadLetters(ctx context.Context, o ClientOptions, namespace string) (*DeadLetterWatch, error) {
	w := &DeadLetterWatch{counts: map[string]int{}, replays: map[string]chan struct{}{}}
	metadataClient, err := metadata.NewForConfig(o.Config)
	if err != nil {
		return nil, fmt.Errorf("watch dead letters: %w", err)
	}
	events := metadataClient.Resource(v1alpha1.GroupVersion().WithResource("triggerevents")).Namespace(namespace)
	selector := labels.SelectorFromSet(labels.Set{recordLabel: deadLetterRecord}).String()
	// A cache of controller-runtime would do, but for its watches of metadata: one that is stopped
	// while it passes on an event leaves a goroutine behind.
	informer := cache.NewSharedInformer(&cache.ListWatch{
		ListFunc: func(options metav1.ListOptions) (runtime.Object, error) {
			options.LabelSelector = selector
			return events.List(ctx, options)
		},
		WatchFunc: func(options metav1.ListOptions) (watch.Interface, error) {
			options.LabelSelector = selector
			return events.Watch(ctx, options)
		},
	}, &metav1.PartialObjectMetadata{}, 0)
	if err := informer.SetTransform(keepLabels); err != nil {
		return nil, fmt.Errorf("watch dead letters: %w", err)
	}
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { w.observe(o, 1) },
		UpdateFunc: func(_, o any) { w.observe(o, 0) },
		DeleteFunc: func(o any) { w.observe(o, -1) },
	}); err != nil {
		return nil, fmt.Errorf("watch dead letters: %w", err)
	}
	go informer.Run(ctx.Done())
	return w, nil
}

// Count returns the number of dead letters of an owner that are neither replayed nor deleted.
func (w *DeadLetterWatch) Count(owner string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts[shorten(owner)]
}

// Replays returns a channel that has an element after the replay of a dead letter of the owner
// was requested.
func (w *DeadLetterWatch) Replays(owner string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.replaysOf(shorten(owner))
}

// replaysOf returns the channel of an owner. The lock is held.
func (w *DeadLetterWatch) replaysOf(owner string) chan struct{} {
	if w.replays[owner] == nil {
		w.replays[owner] = make(chan struct{}, 1)
	}
	return w.replays[owner]
}

// observe counts a dead letter, and signals its replay request.
func (w *DeadLetterWatch) observe(o any, change int) {
	if last, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = last.Obj
	}
	te, ok := o.(*metav1.PartialObjectMetadata)
	if !ok {
		return
	}
	owner := te.Labels[ownerLabel]
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.counts[owner] += change; w.counts[owner] == 0 {
		delete(w.counts, owner)
	}
	if te.Labels[replayLabel] == "" || change < 0 {
		return
	}
	select {
	case w.replaysOf(owner) <- struct{}{}:
	default: // a signal is pending
	}
}

// keepLabels drops all but the name and the labels of a dead letter.
func keepLabels(o any) (any, error) {
	te, ok := o.(*metav1.PartialObjectMetadata)
	if !ok {
		return o, nil
	}
	te.ObjectMeta = metav1.ObjectMeta{
		Namespace: te.Namespace, Name: te.Name, UID: te.UID, ResourceVersion: te.ResourceVersion, Labels: te.Labels,
	}
	return te, nil
}
