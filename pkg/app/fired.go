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

package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// completer returns the function that reads the data that a dead letter of triggers lacks.
func (c *clients) completer(triggers []engine.Trigger) func(context.Context, store.DeadLetter) (event.Event, bool, error) {
	return func(ctx context.Context, l store.DeadLetter) (ev event.Event, metadataOnly bool, err error) {
		i := slices.IndexFunc(triggers, func(t engine.Trigger) bool { return t.TriggerRef == l.Trigger })
		switch {
		case l.Event.Fired() && i < 0:
			return l.Event, false, engine.ErrNotRunning
		case l.Event.Fired():
			ev, err = c.fired(ctx, triggers[i], l.Event)
			return ev, false, err
		case l.Omitted == store.OmittedUnneeded && (l.Event.Type == event.Delete || i >= 0 && needsMetadataOnly(triggers[i])):
			return l.Event, true, nil
		}
		ev, err = c.refetch(ctx, l.Event)
		return ev, false, err
	}
}

// needsMetadataOnly reports whether a trigger needs the metadata of objects only.
func needsMetadataOnly(t engine.Trigger) bool {
	s, ok := t.Subscription.(source.MetadataSubscription)
	return ok && s.MetadataOnly()
}

// fired returns the event of a trigger that is fired by hand: an update of the object that ev
// refers to, as it is now, or the tick of a schedule. The trigger must watch the object: who may
// fire it chooses no other one.
func (c *clients) fired(ctx context.Context, t engine.Trigger, ev event.Event) (event.Event, error) {
	if s, ok := t.Subscription.(source.Ticker); ok {
		if ev.Data != nil {
			return ev, fmt.Errorf("fire: source %q has no objects", t.SourceType)
		}
		tick := s.Tick(time.Now())
		tick.ID = ev.ID
		return tick, nil
	}
	w := t.Subscription.Watch()
	ref := unstructured.Unstructured{Object: ev.Data}
	if err := checkFired(t.SourceType, w, &v1alpha1.FiredObject{
		APIVersion: ref.GetAPIVersion(), Kind: ref.GetKind(), Namespace: ref.GetNamespace(), Name: ref.GetName(),
	}); err != nil {
		return ev, fmt.Errorf("fire: %w", err)
	}
	o, err := w.Select(ctx, c.client, types.NamespacedName{Namespace: ref.GetNamespace(), Name: ref.GetName()})
	if err != nil {
		return ev, fmt.Errorf("fire: read %s %s: %w", ref.GetKind(), ev.Key, err)
	}
	if o == nil {
		return ev, fmt.Errorf("fire: the trigger watches no %s %s: it does not exist, or the selectors do not match it", ref.GetKind(), ev.Key)
	}
	o.SetManagedFields(nil)
	ev.Source, ev.Type, ev.Data = t.SourceType, event.Update, o.Object
	return ev, nil
}

// checkFired returns an error if a trigger that watches w, nil for nothing, cannot handle an
// object.
func checkFired(sourceType string, w *source.Watch, o *v1alpha1.FiredObject) error {
	switch {
	case w == nil:
		return fmt.Errorf("a trigger with the source %q cannot be fired by hand: only one that watches objects of a kind, or has a schedule", sourceType)
	case w.OtherClusters:
		return errors.New("a trigger that selects clusters cannot be fired by hand")
	case o.Name == "":
		return errors.New("an object is required")
	case schema.FromAPIVersionAndKind(o.APIVersion, o.Kind).GroupKind() != w.Kind.GroupKind():
		return fmt.Errorf("watches %s of %s, not %s of %s", w.Kind.Kind, w.Kind.GroupVersion(), o.Kind, o.APIVersion)
	case w.Namespace != "" && w.Namespace != o.Namespace:
		return fmt.Errorf("watches namespace %s, not %s", w.Namespace, o.Namespace)
	}
	return nil
}
