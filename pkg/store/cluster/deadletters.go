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
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

// pageSize is the number of TriggerEvents in one list response. Each can have a size
// of 1 MiB.
const pageSize = 20

// DeadLetters gives access to the dead letters of a store. Another process may have
// the store open for writing.
type DeadLetters struct{ objects }

var _ store.DeadLetterAdmin = (*DeadLetters)(nil)

// deadLetters implements store.DeadLetters.
type deadLetters struct {
	DeadLetters
	store *Store
}

// DeadLetters implements store.Store.
func (s *Store) DeadLetters() store.DeadLetters { return deadLetters{DeadLetters{s.objects}, s} }

// List implements store.DeadLetterAdmin.
func (d DeadLetters) List(ctx context.Context) (store.DeadLetterList, error) {
	var list store.DeadLetterList
	dropped, err := d.readDropped(ctx)
	if err != nil {
		return store.DeadLetterList{}, d.wrapError("list dead letters", err)
	}
	list.Dropped = dropped
	oldest := d.options.Clock.Now().Add(-d.options.Limits.DeadLetterAge)
	var page v1alpha1.TriggerEventList
	for {
		options := append(d.recordSelector(deadLetterRecord), client.Limit(pageSize), client.Continue(page.Continue))
		if err := d.client.List(ctx, &page, options...); err != nil {
			return store.DeadLetterList{}, d.wrapError("list dead letters", err)
		}
		for i := range page.Items {
			te := &page.Items[i]
			te.Spec.Event.Data, te.Spec.Event.Old = nil, nil
			l, err := d.decode(te)
			if err != nil {
				return store.DeadLetterList{}, d.wrapError("list dead letters", err)
			}
			if l.StoredAt.Before(oldest) {
				list.Dropped++
				continue
			}
			list.Items = append(list.Items, l)
		}
		if page.Continue == "" {
			break
		}
	}
	slices.SortFunc(list.Items, func(a, b store.DeadLetter) int {
		if c := a.StoredAt.Compare(b.StoredAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list, nil
}

// Get implements store.DeadLetterAdmin.
func (d DeadLetters) Get(ctx context.Context, id string) (store.DeadLetter, error) {
	te, err := d.get(ctx, id)
	if err != nil {
		return store.DeadLetter{}, d.wrapError("get dead letter", err)
	}
	l, err := d.decode(te)
	return l, d.wrapError("get dead letter", err)
}

// Delete implements store.DeadLetterAdmin.
func (d DeadLetters) Delete(ctx context.Context, id string) error {
	te, err := d.get(ctx, id)
	if err == nil {
		err = d.client.Delete(ctx, te, client.Preconditions{UID: &te.UID})
		if apierrors.IsNotFound(err) {
			err = fmt.Errorf("dead letter %q: %w", id, store.ErrNotFound)
		}
	}
	return d.wrapError("delete dead letter", err)
}

// RequestReplay implements store.DeadLetterAdmin.
func (d DeadLetters) RequestReplay(ctx context.Context, id string) error {
	te, err := d.get(ctx, id)
	if err == nil {
		patch := fmt.Sprintf(`{"metadata":{"uid":%q,"labels":{%q:"requested"},"annotations":{%q:%q}}}`,
			te.UID, replayLabel, replayAnnotation, sortableTime(d.options.Clock.Now()))
		err = d.client.Patch(ctx, te, client.RawPatch(mergePatch, []byte(patch)))
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			err = fmt.Errorf("dead letter %q: %w", id, store.ErrNotFound)
		}
	}
	return d.wrapError("request replay", err)
}

// RequestReplayOf implements store.DeadLetters.
func (s deadLetters) RequestReplayOf(ctx context.Context, t event.TriggerRef, ev event.Event) error {
	return s.RequestReplay(ctx, codec.DeadLetterID(t, ev))
}

// ReplayRequested implements store.DeadLetters.
func (s deadLetters) ReplayRequested(ctx context.Context) ([]string, error) {
	var (
		ids  []string
		list metav1.PartialObjectMetadataList
	)
	list.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind(v1alpha1.TriggerEventKind + "List"))
	options := append(s.recordSelector(deadLetterRecord), client.HasLabels{replayLabel})
	if err := s.client.List(ctx, &list, options...); err != nil {
		return nil, s.wrapError("list requested replays", err)
	}
	for i := range list.Items {
		ids = append(ids, strings.TrimPrefix(list.Items[i].Name, s.owner+"-"))
	}
	return ids, nil
}

// get returns the TriggerEvent of a dead letter, or ErrNotFound.
func (d DeadLetters) get(ctx context.Context, id string) (*v1alpha1.TriggerEvent, error) {
	te := &v1alpha1.TriggerEvent{}
	if !isID(id) {
		return nil, fmt.Errorf("dead letter %q: %w", id, store.ErrNotFound)
	}
	err := d.client.Get(ctx, client.ObjectKey{Namespace: d.options.Namespace, Name: d.deadLetterName(id)}, te)
	if apierrors.IsNotFound(err) || err == nil && te.Labels[recordLabel] != deadLetterRecord {
		return nil, fmt.Errorf("dead letter %q: %w", id, store.ErrNotFound)
	}
	return te, err
}

func isID(id string) bool {
	return id != "" && strings.Trim(id, "0123456789abcdef") == ""
}

func (d DeadLetters) deadLetterName(id string) string { return d.owner + "-" + id }

// decode returns the dead letter in te.
func (d DeadLetters) decode(te *v1alpha1.TriggerEvent) (store.DeadLetter, error) {
	l := store.DeadLetter{ID: strings.TrimPrefix(te.Name, d.owner+"-")}
	var err error
	if l.StoredAt, err = time.Parse(time.RFC3339Nano, te.Annotations[orderAnnotation]); err != nil {
		return store.DeadLetter{}, fmt.Errorf("TriggerEvent %s: annotation %s: %w: %w", te.Name, orderAnnotation, store.ErrDamaged, err)
	}
	if te.Spec.Trigger != nil && te.Spec.Fire != nil {
		return d.decodeFire(te, l)
	}
	if te.Spec.Trigger == nil || te.Spec.Failure == nil {
		return store.DeadLetter{}, fmt.Errorf("TriggerEvent %s: no trigger or failure: %w", te.Name, store.ErrDamaged)
	}
	if l.Event, err = fromAPIEvent(te.Spec.Event); err != nil {
		return store.DeadLetter{}, fmt.Errorf("TriggerEvent %s: %w", te.Name, err)
	}
	l.Trigger.Name, l.Trigger.Namespace = te.Spec.Trigger.Name, te.Spec.Trigger.Namespace
	failure := te.Spec.Failure
	l.Reason, l.Error, l.Attempts = failure.Reason, failure.Error, failure.Attempts
	l.Omitted = store.Omission(failure.Omitted)
	l.FirstAttempt, l.LastAttempt = fromMicroTime(failure.First), fromMicroTime(failure.Last)
	l.ReplayRequestedAt, err = replayRequestedAt(te)
	return l, err
}

// replayRequestedAt returns when the replay of te was requested; zero if it was not.
func replayRequestedAt(te *v1alpha1.TriggerEvent) (at time.Time, err error) {
	if requested := te.Annotations[replayAnnotation]; requested != "" {
		if at, err = time.Parse(time.RFC3339Nano, requested); err != nil {
			return at, fmt.Errorf("TriggerEvent %s: annotation %s: %w: %w", te.Name, replayAnnotation, store.ErrDamaged, err)
		}
	}
	return at, nil
}

// Put implements store.DeadLetters.
func (s deadLetters) Put(ctx context.Context, l store.DeadLetter) (string, error) {
	l, err := codec.PrepareDeadLetter(l, s.options.Clock.Now())
	if err != nil {
		return "", s.wrapError("put dead letter", err)
	}
	e, err := toAPIEvent(l.Event)
	if err != nil {
		return "", s.wrapError("put dead letter", err)
	}
	te := &v1alpha1.TriggerEvent{ObjectMeta: s.newMeta(s.deadLetterName(l.ID), deadLetterRecord, nil)}
	te.Annotations[orderAnnotation] = sortableTime(l.StoredAt)
	te.Spec = v1alpha1.TriggerEventSpec{
		Event:   e,
		Trigger: &v1alpha1.TriggerReference{Name: l.Trigger.Name, Namespace: l.Trigger.Namespace},
		Failure: &v1alpha1.Failure{
			Reason: l.Reason, Error: l.Error, Attempts: l.Attempts, Omitted: string(l.Omitted),
			First: toMicroTime(l.FirstAttempt), Last: toMicroTime(l.LastAttempt),
		},
	}
	if err := s.store.createOrReplace(ctx, te); err != nil {
		return "", s.wrapError("put dead letter", err)
	}
	return l.ID, s.wrapError("drop old dead letters", s.store.evictDeadLetters(ctx, te.Name, l.StoredAt))
}

// createOrReplace creates te, or replaces the existing TriggerEvent.
func (s *Store) createOrReplace(ctx context.Context, te *v1alpha1.TriggerEvent) error {
	for attempt := 1; ; attempt++ {
		if err := s.fence.check(); err != nil {
			return err
		}
		te.ResourceVersion = ""
		err := s.client.Create(ctx, te)
		if !apierrors.IsAlreadyExists(err) {
			return err
		}
		current := &v1alpha1.TriggerEvent{}
		if err = s.client.Get(ctx, client.ObjectKeyFromObject(te), current); err == nil {
			te.ResourceVersion = current.ResourceVersion
			err = s.client.Update(ctx, te)
		}
		if err == nil || attempt == writeAttempts || !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			return err
		}
	}
}

// evictDeadLetters adds a dead letter to the index, and deletes the dead letters that
// exceed the limits.
func (s *Store) evictDeadLetters(ctx context.Context, name string, storedAt time.Time) error {
	s.deadLetterIndex.mu.Lock()
	defer s.deadLetterIndex.mu.Unlock()
	oldest := sortableTime(s.options.Clock.Now().Add(-s.options.Limits.DeadLetterAge))
	if s.deadLetterIndex.loaded {
		s.deadLetterIndex.order[name] = sortableTime(storedAt)
		if len(s.deadLetterIndex.order) <= s.options.Limits.DeadLetters && s.deadLetterIndex.oldest() >= oldest {
			return nil
		}
	}
	// Users delete dead letters, too: read the current number.
	if err := s.loadIndex(ctx, &s.deadLetterIndex, deadLetterRecord); err != nil {
		return err
	}
	dropped := uint64(0)
	for _, name := range s.deadLetterIndex.sorted() {
		if len(s.deadLetterIndex.order) <= s.options.Limits.DeadLetters && s.deadLetterIndex.order[name] >= oldest {
			break
		}
		te := &v1alpha1.TriggerEvent{ObjectMeta: metav1.ObjectMeta{Namespace: s.options.Namespace, Name: name}}
		err := s.client.Delete(ctx, te)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		if err == nil {
			dropped++
		}
		delete(s.deadLetterIndex.order, name)
	}
	return s.addDropped(ctx, dropped)
}

// sortableTime returns t in a format that sorts by time.
func sortableTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }
