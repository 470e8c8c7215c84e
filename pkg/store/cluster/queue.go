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
	"iter"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

// queue implements store.Queue.
type queue struct{ *Store }

// Queue implements store.Store.
func (s *Store) Queue() store.Queue { return queue{s} }

// Enqueue implements store.Queue.
func (s queue) Enqueue(ctx context.Context, ev event.Event) error {
	return s.wrapError("enqueue", s.enqueue(ctx, ev))
}

func (s queue) enqueue(ctx context.Context, ev event.Event) error {
	if _, err := codec.EncodeQueuedEvent(ev); err != nil {
		return err
	}
	if err := s.fence.check(); err != nil {
		return err
	}
	e, err := toAPIEvent(ev)
	if err != nil {
		return err
	}
	te := &v1alpha1.TriggerEvent{ObjectMeta: s.newMeta(s.queueName(ev.Source, ev.ID), queueRecord, sourceLabels(ev.Source))}
	te.Spec.Event = e
	order, added, err := s.reserve(ctx, te.Name)
	if err != nil {
		return fmt.Errorf("event %q: %w", ev.ID, err)
	}
	te.Annotations[orderAnnotation] = order
	if err := s.client.Create(ctx, te); err != nil && !apierrors.IsAlreadyExists(err) {
		if added {
			s.unreserve(te.Name)
		}
		return err
	}
	// A new writer may have read the queue before ev was created.
	return s.fence.verify(ctx)
}

func (s *Store) queueName(source, id string) string {
	return s.owner + "-queue-" + codec.ID(source, id)
}

func sourceLabels(source string) map[string]string {
	return map[string]string{sourceLabel: codec.ID(source)}
}

// reserve returns the sequence number of an event, and assigns the next one if it has
// none. It returns ErrFull if the queue is full.
func (s *Store) reserve(ctx context.Context, name string) (order string, added bool, err error) {
	s.queueIndex.mu.Lock()
	defer s.queueIndex.mu.Unlock()
	if !s.queueIndex.loaded {
		if err := s.loadIndex(ctx, &s.queueIndex, queueRecord); err != nil {
			return "", false, err
		}
		for _, order := range s.queueIndex.order {
			s.queueIndex.last = max(s.queueIndex.last, order)
		}
	}
	if order, ok := s.queueIndex.order[name]; ok {
		return order, false, nil
	}
	if n := len(s.queueIndex.order); n >= s.options.Limits.Queue {
		return "", false, fmt.Errorf("after %d others: %w", n, store.ErrFull)
	}
	var n uint64
	if s.queueIndex.last != "" {
		if n, err = strconv.ParseUint(s.queueIndex.last, 10, 64); err != nil {
			return "", false, fmt.Errorf("order %q: %w", s.queueIndex.last, store.ErrDamaged)
		}
	}
	s.queueIndex.last = fmt.Sprintf("%020d", n+1)
	s.queueIndex.order[name] = s.queueIndex.last
	return s.queueIndex.last, true, nil
}

func (s *Store) unreserve(name string) {
	s.queueIndex.mu.Lock()
	defer s.queueIndex.mu.Unlock()
	delete(s.queueIndex.order, name)
}

// Pending implements store.Queue.
func (s queue) Pending(ctx context.Context, source string) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		queued := index{order: map[string]string{}}
		options := append(s.recordSelector(queueRecord), client.MatchingLabels(sourceLabels(source)))
		if err := s.eachMetadata(ctx, options, func(m metav1.PartialObjectMetadata) {
			queued.order[m.Name] = m.Annotations[orderAnnotation]
		}); err != nil {
			yield(event.Event{}, s.wrapError("read queue", err))
			return
		}
		for _, name := range queued.sorted() {
			te := &v1alpha1.TriggerEvent{}
			err := s.client.Get(ctx, client.ObjectKey{Namespace: s.options.Namespace, Name: name}, te)
			if apierrors.IsNotFound(err) {
				continue
			}
			var ev event.Event
			if err == nil {
				ev, err = fromAPIEvent(te.Spec.Event)
			}
			if !yield(ev, s.wrapError("read queue", err)) || err != nil {
				return
			}
		}
	}
}

// Ack implements store.Queue.
func (s queue) Ack(ctx context.Context, source, id string) error {
	if err := s.fence.check(); err != nil {
		return s.wrapError("acknowledge", err)
	}
	name := s.queueName(source, id)
	te := &v1alpha1.TriggerEvent{ObjectMeta: metav1.ObjectMeta{Namespace: s.options.Namespace, Name: name}}
	if err := client.IgnoreNotFound(s.client.Delete(ctx, te)); err != nil {
		return s.wrapError("acknowledge", err)
	}
	s.unreserve(name)
	return nil
}
