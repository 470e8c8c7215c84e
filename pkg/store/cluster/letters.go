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
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

// pageSize is how many TriggerEvents are read at once: each may be a MiB.
const pageSize = 20

// DeadLetters are the dead letters of a store. They can be used while another
// process has the store open.
type DeadLetters struct {
	options Options
	client  client.Client
	// owner is the owner as it is in labels and names.
	owner string
}

var _ store.DeadLetterAdmin = (*DeadLetters)(nil)

func (f *DeadLetters) wrapError(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("store of %s/%s: %s: %w", f.options.Namespace, f.options.Owner, what, err)
}

// ListDeadLetters implements store.Failures.
func (f *DeadLetters) ListDeadLetters(ctx context.Context) (store.DeadLetterList, error) {
	var b store.DeadLetterList
	dropped, err := f.dropped(ctx)
	if err != nil {
		return store.DeadLetterList{}, f.wrapError("list dead letters", err)
	}
	b.Dropped = dropped
	horizon := f.options.Clock.Now().Add(-f.options.Limits.DeadLetterAge)
	var page v1alpha1.TriggerEventList
	for {
		options := append(f.recordSelector(deadLetterRecord), client.Limit(pageSize), client.Continue(page.Continue))
		if err := f.client.List(ctx, &page, options...); err != nil {
			return store.DeadLetterList{}, f.wrapError("list dead letters", err)
		}
		for i := range page.Items {
			te := &page.Items[i]
			te.Spec.Event.Data, te.Spec.Event.Old = nil, nil
			l, err := f.decode(te)
			if err != nil {
				return store.DeadLetterList{}, f.wrapError("list dead letters", err)
			}
			if l.StoredAt.Before(horizon) {
				b.Dropped++
				continue
			}
			b.Items = append(b.Items, l)
		}
		if page.Continue == "" {
			break
		}
	}
	slices.SortFunc(b.Items, func(a, b store.DeadLetter) int {
		if c := a.StoredAt.Compare(b.StoredAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return b, nil
}

// GetDeadLetter implements store.Failures.
func (f *DeadLetters) GetDeadLetter(ctx context.Context, id string) (store.DeadLetter, error) {
	te, err := f.get(ctx, id)
	if err != nil {
		return store.DeadLetter{}, f.wrapError("read", err)
	}
	l, err := f.decode(te)
	return l, f.wrapError("read", err)
}

// DeleteDeadLetter implements store.Failures.
func (f *DeadLetters) DeleteDeadLetter(ctx context.Context, id string) error {
	te, err := f.get(ctx, id)
	if err == nil {
		err = f.client.Delete(ctx, te, client.Preconditions{UID: &te.UID})
		if apierrors.IsNotFound(err) {
			err = fmt.Errorf("dead letter %q: %w", id, store.ErrNotFound)
		}
	}
	return f.wrapError("discard", err)
}

// RequestReplay implements store.Failures.
func (f *DeadLetters) RequestReplay(ctx context.Context, id string) error {
	te, err := f.get(ctx, id)
	if err == nil {
		patch := fmt.Sprintf(`{"metadata":{"uid":%q,"labels":{%q:"asked"},"annotations":{%q:%q}}}`,
			te.UID, replayLabel, replayAnnotation, sortableTime(f.options.Clock.Now()))
		err = f.client.Patch(ctx, te, client.RawPatch(mergePatch, []byte(patch)))
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			err = fmt.Errorf("dead letter %q: %w", id, store.ErrNotFound)
		}
	}
	return f.wrapError("replay", err)
}

// ReplayRequested implements store.Letters.
func (s *Store) ReplayRequested(ctx context.Context) ([]string, error) {
	var (
		ids  []string
		list metav1.PartialObjectMetadataList
	)
	list.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind(v1alpha1.TriggerEventKind + "List"))
	options := append(s.recordSelector(deadLetterRecord), client.HasLabels{replayLabel})
	if err := s.client.List(ctx, &list, options...); err != nil {
		return nil, s.wrapError("list replays", err)
	}
	for i := range list.Items {
		ids = append(ids, strings.TrimPrefix(list.Items[i].Name, s.owner+"-"))
	}
	return ids, nil
}

// get reads the TriggerEvent of a dead letter.
func (f *DeadLetters) get(ctx context.Context, id string) (*v1alpha1.TriggerEvent, error) {
	te := &v1alpha1.TriggerEvent{}
	if !isID(id) {
		return nil, fmt.Errorf("dead letter %q: %w", id, store.ErrNotFound)
	}
	err := f.client.Get(ctx, client.ObjectKey{Namespace: f.options.Namespace, Name: f.deadLetterName(id)}, te)
	if apierrors.IsNotFound(err) || err == nil && te.Labels[recordLabel] != deadLetterRecord {
		return nil, fmt.Errorf("dead letter %q: %w", id, store.ErrNotFound)
	}
	return te, err
}

func isID(id string) bool {
	return id != "" && strings.Trim(id, "0123456789abcdef") == ""
}

func (f *DeadLetters) deadLetterName(id string) string { return f.owner + "-" + id }

// decode reads a TriggerEvent.
func (f *DeadLetters) decode(te *v1alpha1.TriggerEvent) (store.DeadLetter, error) {
	l := store.DeadLetter{ID: strings.TrimPrefix(te.Name, f.owner+"-")}
	var err error
	if l.StoredAt, err = time.Parse(time.RFC3339Nano, te.Annotations[orderAnnotation]); err != nil {
		return store.DeadLetter{}, fmt.Errorf("TriggerEvent %s: annotation %s: %w: %w", te.Name, orderAnnotation, store.ErrDamaged, err)
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
	if asked := te.Annotations[replayAnnotation]; asked != "" {
		if l.ReplayRequestedAt, err = time.Parse(time.RFC3339Nano, asked); err != nil {
			return store.DeadLetter{}, fmt.Errorf("TriggerEvent %s: annotation %s: %w: %w", te.Name, replayAnnotation, store.ErrDamaged, err)
		}
	}
	return l, nil
}

// PutDeadLetter implements store.Letters.
func (s *Store) PutDeadLetter(ctx context.Context, l store.DeadLetter) (string, error) {
	l, err := codec.PrepareDeadLetter(l, s.options.Clock.Now())
	if err != nil {
		return "", s.wrapError("bury", err)
	}
	e, err := toAPIEvent(l.Event)
	if err != nil {
		return "", s.wrapError("bury", err)
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
	if err := s.createOrReplace(ctx, te); err != nil {
		return "", s.wrapError("bury", err)
	}
	return l.ID, s.wrapError("drop old dead letters", s.evictDeadLetters(ctx, te.Name, l.StoredAt))
}

// createOrReplace creates te, or replaces the letter that is there.
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
		there := &v1alpha1.TriggerEvent{}
		if err = s.client.Get(ctx, client.ObjectKeyFromObject(te), there); err == nil {
			te.ResourceVersion = there.ResourceVersion
			err = s.client.Update(ctx, te)
		}
		if err == nil || attempt == writeAttempts || !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			return err
		}
	}
}

// evictDeadLetters notes that a letter was buried, and deletes those that are too many
// or too old.
func (s *Store) evictDeadLetters(ctx context.Context, name string, buried time.Time) error {
	s.deadLetterIndex.mu.Lock()
	defer s.deadLetterIndex.mu.Unlock()
	horizon := sortableTime(s.options.Clock.Now().Add(-s.options.Limits.DeadLetterAge))
	if s.deadLetterIndex.loaded {
		s.deadLetterIndex.order[name] = sortableTime(buried)
		if len(s.deadLetterIndex.order) <= s.options.Limits.DeadLetters && s.deadLetterIndex.oldest() >= horizon {
			return nil
		}
	}
	// People delete letters, too, so that there may be fewer than it seems.
	if err := s.loadIndex(ctx, &s.deadLetterIndex, deadLetterRecord); err != nil {
		return err
	}
	dropped := uint64(0)
	for _, name := range s.deadLetterIndex.sorted() {
		if len(s.deadLetterIndex.order) <= s.options.Limits.DeadLetters && s.deadLetterIndex.order[name] >= horizon {
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
	return s.countDropped(ctx, dropped)
}

// sortableTime returns a text that sorts as the time does.
func sortableTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }
