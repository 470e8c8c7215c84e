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

// Failures are the dead letters of a store. They can be used while another
// process has the store open.
type Failures struct {
	options Options
	client  client.Client
	// owner is the owner as it is in labels and names.
	owner string
}

var _ store.Failures = (*Failures)(nil)

func (f *Failures) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("store of %s/%s: %s: %w", f.options.Namespace, f.options.Owner, what, err)
}

// Buried implements store.Failures.
func (f *Failures) Buried(ctx context.Context) (store.Buried, error) {
	var b store.Buried
	dropped, err := f.dropped(ctx)
	if err != nil {
		return store.Buried{}, f.wrap("list dead letters", err)
	}
	b.Dropped = dropped
	horizon := f.options.Clock.Now().Add(-f.options.Limits.LetterAge)
	var page v1alpha1.TriggerEventList
	for {
		options := append(f.holding(letterRecord), client.Limit(pageSize), client.Continue(page.Continue))
		if err := f.client.List(ctx, &page, options...); err != nil {
			return store.Buried{}, f.wrap("list dead letters", err)
		}
		for i := range page.Items {
			te := &page.Items[i]
			te.Spec.Event.Data, te.Spec.Event.Old = nil, nil
			l, err := f.letter(te)
			if err != nil {
				return store.Buried{}, f.wrap("list dead letters", err)
			}
			if l.Buried.Before(horizon) {
				b.Dropped++
				continue
			}
			b.Letters = append(b.Letters, l)
		}
		if page.Continue == "" {
			break
		}
	}
	slices.SortFunc(b.Letters, func(a, b store.Letter) int {
		if c := a.Buried.Compare(b.Buried); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return b, nil
}

// Letter implements store.Failures.
func (f *Failures) Letter(ctx context.Context, id string) (store.Letter, error) {
	te, err := f.find(ctx, id)
	if err != nil {
		return store.Letter{}, f.wrap("read", err)
	}
	l, err := f.letter(te)
	return l, f.wrap("read", err)
}

// Discard implements store.Failures.
func (f *Failures) Discard(ctx context.Context, id string) error {
	te, err := f.find(ctx, id)
	if err == nil {
		err = f.client.Delete(ctx, te, client.Preconditions{UID: &te.UID})
		if apierrors.IsNotFound(err) {
			err = fmt.Errorf("dead letter %q: %w", id, store.ErrNotFound)
		}
	}
	return f.wrap("discard", err)
}

// Replay implements store.Failures.
func (f *Failures) Replay(ctx context.Context, id string) error {
	te, err := f.find(ctx, id)
	if err == nil {
		patch := fmt.Sprintf(`{"metadata":{"uid":%q,"labels":{%q:"asked"},"annotations":{%q:%q}}}`,
			te.UID, replayLabel, replayAnnotation, order(f.options.Clock.Now()))
		err = f.client.Patch(ctx, te, client.RawPatch(mergePatch, []byte(patch)))
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			err = fmt.Errorf("dead letter %q: %w", id, store.ErrNotFound)
		}
	}
	return f.wrap("replay", err)
}

// Asked implements store.Letters.
func (s *Store) Asked(ctx context.Context) ([]string, error) {
	var (
		ids  []string
		list metav1.PartialObjectMetadataList
	)
	list.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind(v1alpha1.TriggerEventKind + "List"))
	options := append(s.holding(letterRecord), client.HasLabels{replayLabel})
	if err := s.client.List(ctx, &list, options...); err != nil {
		return nil, s.wrap("list replays", err)
	}
	for i := range list.Items {
		ids = append(ids, strings.TrimPrefix(list.Items[i].Name, s.owner+"-"))
	}
	return ids, nil
}

// find reads the TriggerEvent of a dead letter.
func (f *Failures) find(ctx context.Context, id string) (*v1alpha1.TriggerEvent, error) {
	te := &v1alpha1.TriggerEvent{}
	if !isID(id) {
		return nil, fmt.Errorf("dead letter %q: %w", id, store.ErrNotFound)
	}
	err := f.client.Get(ctx, client.ObjectKey{Namespace: f.options.Namespace, Name: f.letterName(id)}, te)
	if apierrors.IsNotFound(err) || err == nil && te.Labels[recordLabel] != letterRecord {
		return nil, fmt.Errorf("dead letter %q: %w", id, store.ErrNotFound)
	}
	return te, err
}

func isID(id string) bool {
	return id != "" && strings.Trim(id, "0123456789abcdef") == ""
}

func (f *Failures) letterName(id string) string { return f.owner + "-" + id }

// letter reads a TriggerEvent.
func (f *Failures) letter(te *v1alpha1.TriggerEvent) (store.Letter, error) {
	l := store.Letter{ID: strings.TrimPrefix(te.Name, f.owner+"-")}
	var err error
	if l.Buried, err = time.Parse(time.RFC3339Nano, te.Annotations[orderAnnotation]); err != nil {
		return store.Letter{}, fmt.Errorf("TriggerEvent %s: annotation %s: %w: %w", te.Name, orderAnnotation, store.ErrDamaged, err)
	}
	if te.Spec.Trigger == nil || te.Spec.Failure == nil {
		return store.Letter{}, fmt.Errorf("TriggerEvent %s: no trigger or failure: %w", te.Name, store.ErrDamaged)
	}
	if l.Event, err = eventOf(te.Spec.Event); err != nil {
		return store.Letter{}, fmt.Errorf("TriggerEvent %s: %w", te.Name, err)
	}
	l.Trigger.Name, l.Trigger.Namespace = te.Spec.Trigger.Name, te.Spec.Trigger.Namespace
	failure := te.Spec.Failure
	l.Reason, l.Error, l.Attempts = failure.Reason, failure.Error, failure.Attempts
	l.Omitted = store.Omission(failure.Omitted)
	l.First, l.Last = timeOf(failure.First), timeOf(failure.Last)
	if asked := te.Annotations[replayAnnotation]; asked != "" {
		if l.Replay, err = time.Parse(time.RFC3339Nano, asked); err != nil {
			return store.Letter{}, fmt.Errorf("TriggerEvent %s: annotation %s: %w: %w", te.Name, replayAnnotation, store.ErrDamaged, err)
		}
	}
	return l, nil
}

// Bury implements store.Letters.
func (s *Store) Bury(ctx context.Context, l store.Letter) (string, error) {
	l, err := codec.Prepare(l, s.options.Clock.Now())
	if err != nil {
		return "", s.wrap("bury", err)
	}
	e, err := eventSpec(l.Event)
	if err != nil {
		return "", s.wrap("bury", err)
	}
	te := &v1alpha1.TriggerEvent{ObjectMeta: s.meta(s.letterName(l.ID), letterRecord, nil)}
	te.Annotations[orderAnnotation] = order(l.Buried)
	te.Spec = v1alpha1.TriggerEventSpec{
		Event:   e,
		Trigger: &v1alpha1.TriggerReference{Name: l.Trigger.Name, Namespace: l.Trigger.Namespace},
		Failure: &v1alpha1.Failure{
			Reason: l.Reason, Error: l.Error, Attempts: l.Attempts, Omitted: string(l.Omitted),
			First: microTime(l.First), Last: microTime(l.Last),
		},
	}
	if err := s.bury(ctx, te); err != nil {
		return "", s.wrap("bury", err)
	}
	return l.ID, s.wrap("drop old dead letters", s.dropOld(ctx, te.Name, l.Buried))
}

// bury creates te, or replaces the letter that is there.
func (s *Store) bury(ctx context.Context, te *v1alpha1.TriggerEvent) error {
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

// dropOld notes that a letter was buried, and deletes those that are too many
// or too old.
func (s *Store) dropOld(ctx context.Context, name string, buried time.Time) error {
	s.letters.mu.Lock()
	defer s.letters.mu.Unlock()
	horizon := order(s.options.Clock.Now().Add(-s.options.Limits.LetterAge))
	if s.letters.loaded {
		s.letters.order[name] = order(buried)
		if len(s.letters.order) <= s.options.Limits.Letters && s.letters.oldest() >= horizon {
			return nil
		}
	}
	// People delete letters, too, so that there may be fewer than it seems.
	if err := s.list(ctx, &s.letters, letterRecord); err != nil {
		return err
	}
	dropped := uint64(0)
	for _, name := range s.letters.sorted() {
		if len(s.letters.order) <= s.options.Limits.Letters && s.letters.order[name] >= horizon {
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
		delete(s.letters.order, name)
	}
	return s.countDropped(ctx, dropped)
}

// order returns a text that sorts as the time does.
func order(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }
