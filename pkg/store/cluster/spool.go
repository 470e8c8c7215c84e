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

// Accept implements store.Spool.
func (s *Store) Accept(ctx context.Context, ev event.Event) error {
	return s.wrap("accept", s.accept(ctx, ev))
}

func (s *Store) accept(ctx context.Context, ev event.Event) error {
	if _, err := codec.Acceptable(ev); err != nil {
		return err
	}
	if err := s.fence.check(); err != nil {
		return err
	}
	e, err := eventSpec(ev)
	if err != nil {
		return err
	}
	te := &v1alpha1.TriggerEvent{ObjectMeta: s.meta(s.spoolName(ev.Source, ev.ID), spoolRecord, sourceLabels(ev.Source))}
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
	// Another writer that has come meanwhile may not have seen it.
	if err := s.fence.confirm(ctx); err != nil {
		return err
	}
	return nil
}

func (s *Store) spoolName(source, id string) string {
	return s.owner + "-accepted-" + codec.ID(source, id)
}

func sourceLabels(source string) map[string]string {
	return map[string]string{sourceLabel: codec.ID(source)}
}

// reserve gives an event its place in the order, and says whether it had none.
func (s *Store) reserve(ctx context.Context, name string) (order string, added bool, err error) {
	s.spool.mu.Lock()
	defer s.spool.mu.Unlock()
	if !s.spool.loaded {
		if err := s.list(ctx, &s.spool, spoolRecord); err != nil {
			return "", false, err
		}
		for _, order := range s.spool.order {
			s.spool.last = max(s.spool.last, order)
		}
	}
	if order, ok := s.spool.order[name]; ok {
		return order, false, nil
	}
	if n := len(s.spool.order); n >= s.options.Limits.Spool {
		return "", false, fmt.Errorf("%d others are there: %w", n, store.ErrFull)
	}
	var n uint64
	if s.spool.last != "" {
		if n, err = strconv.ParseUint(s.spool.last, 10, 64); err != nil {
			return "", false, fmt.Errorf("order %q: %w", s.spool.last, store.ErrDamaged)
		}
	}
	s.spool.last = fmt.Sprintf("%020d", n+1)
	s.spool.order[name] = s.spool.last
	return s.spool.last, true, nil
}

func (s *Store) unreserve(name string) {
	s.spool.mu.Lock()
	defer s.spool.mu.Unlock()
	delete(s.spool.order, name)
}

// Spooled implements store.Spool.
func (s *Store) Spooled(ctx context.Context, source string) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		found := index{order: map[string]string{}}
		options := append(s.holding(spoolRecord), client.MatchingLabels(sourceLabels(source)))
		if err := s.each(ctx, options, func(m metav1.PartialObjectMetadata) {
			found.order[m.Name] = m.Annotations[orderAnnotation]
		}); err != nil {
			yield(event.Event{}, s.wrap("read spool", err))
			return
		}
		for _, name := range found.sorted() {
			te := &v1alpha1.TriggerEvent{}
			err := s.client.Get(ctx, client.ObjectKey{Namespace: s.options.Namespace, Name: name}, te)
			if apierrors.IsNotFound(err) {
				continue
			}
			var ev event.Event
			if err == nil {
				ev, err = eventOf(te.Spec.Event)
			}
			if !yield(ev, s.wrap("read spool", err)) || err != nil {
				return
			}
		}
	}
}

// Release implements store.Spool.
func (s *Store) Release(ctx context.Context, source, id string) error {
	if err := s.fence.check(); err != nil {
		return s.wrap("release", err)
	}
	name := s.spoolName(source, id)
	te := &v1alpha1.TriggerEvent{ObjectMeta: metav1.ObjectMeta{Namespace: s.options.Namespace, Name: name}}
	if err := client.IgnoreNotFound(s.client.Delete(ctx, te)); err != nil {
		return s.wrap("release", err)
	}
	s.unreserve(name)
	return nil
}
