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

package resource

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// subscription is what one trigger asks for: objects, and types of events.
type subscription struct {
	query
	// clusters is in which clusters.
	clusters clusterSelection
	trigger  source.Spec
	events   []string
	// filter narrows events down; nil takes all of them.
	filter func(event.Event) bool
	open   func(shared []subscription) source.Source
}

// Key is equal for the same kind, namespace and selectors, whatever types of
// events are wanted: one watch serves them all.
func (s subscription) Key() string { return s.key() }

// Watches returns the kind and the namespace of the objects.
func (s subscription) Watches() (kind schema.GroupVersionKind, namespace string) {
	return s.kind, s.namespace
}

// Skip returns why the trigger does not take ev: its type is not among those
// that it asked for, it happened before the trigger was there, or it is an
// update that is known to have changed none of the trigger's fields.
func (s subscription) Skip(ev event.Event) source.Reason {
	switch {
	case !slices.Contains(s.events, ev.Type), !s.clusters.mayMatchEvent(ev.Cluster):
		return source.NotSubscribed
	case ev.Triggers != nil && !slices.Contains(ev.Triggers, s.trigger.TriggerRef):
		return source.BeforeStart
	case s.filter != nil && !s.filter(ev):
		return source.NotSubscribed
	case ev.Type == event.Update && len(s.trigger.OnChange) > 0 && s.unchanged(ev):
		return source.NoChange
	}
	return ""
}

func (s subscription) unchanged(ev event.Event) bool {
	for _, p := range s.trigger.OnChange {
		if !slices.Contains(ev.Unchanged, p.String()) {
			return false
		}
	}
	return true
}

// Open returns one watch for all of shared.
func (s subscription) Open(shared []source.Subscription) source.Source {
	var all []subscription
	for _, other := range shared {
		if other, ok := other.(interface{ asked() subscription }); ok {
			all = append(all, other.asked())
		}
	}
	return s.open(all)
}

func (s subscription) asked() subscription { return s }

// comparer is a subscription to what happens to objects.
type comparer struct{ subscription }

// Compares marks that events say what changed.
func (comparer) Compares() {}
