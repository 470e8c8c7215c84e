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

	"k8s.io/apimachinery/pkg/fields"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// subscription is the subscription of one trigger to objects and types of events.
type subscription struct {
	query
	clusters clusterSelection
	trigger  source.Spec
	events   []string
	// filter selects among the events; nil selects all.
	filter func(event.Event) bool
	open   func(shared []subscription) source.Source
	// derived is nil unless events are derived.
	derived *DerivedSource
}

// Key is equal for the same kind, namespace and selectors. Subscriptions to different
// types of events share a watch.
func (s subscription) Key() string { return s.key() }

// Watch implements source.Subscription.
func (s subscription) Watch() *source.Watch {
	w := &source.Watch{
		Kind: s.kind, Namespace: s.namespace, Labels: s.labels, Fields: s.field, Types: s.events, Filtered: s.filter != nil || s.derivedType != "",
		Clusters: s.clusters.joined(), OtherClusters: s.clusters.labels != nil, OwnCluster: s.clusters.isOwnCluster() || s.clusters.hasName(multicluster.Local),
	}
	if selector, err := fields.ParseSelector(s.field); err == nil && s.field != "" {
		name, ok := selector.RequiresExactMatch("metadata.name")
		w.Name = name
		w.Filtered = w.Filtered || !ok || len(selector.Requirements()) > 1
	}
	return w
}

// Skip returns NotSubscribed if the trigger does not subscribe to the type or the
// cluster of ev, BeforeStart if ev precedes its start, and NoChange if ev is an update
// of which all onChange fields are known to be unchanged.
func (s subscription) Skip(ev event.Event, d source.Delivery) source.Reason {
	switch {
	case !slices.Contains(s.events, ev.Type), !s.clusters.mayMatchEvent(ev.Cluster):
		return source.NotSubscribed
	case d.Triggers != nil && !slices.Contains(d.Triggers, s.trigger.TriggerRef):
		return source.BeforeStart
	case s.filter != nil && !s.filter(ev):
		return source.NotSubscribed
	case ev.Type == event.Update && len(s.trigger.OnChange) > 0 && s.unchanged(d):
		return source.NoChange
	}
	return ""
}

// unchanged reports whether all onChange fields are known to be unchanged.
func (s subscription) unchanged(d source.Delivery) bool {
	for _, p := range s.trigger.OnChange {
		if !slices.Contains(d.Unchanged, p.String()) {
			return false
		}
	}
	return true
}

// Open returns one watch for all of shared.
func (s subscription) Open(shared []source.Subscription) source.Source {
	var all []subscription
	for _, other := range shared {
		if other, ok := other.(subscription); ok {
			all = append(all, other)
		}
	}
	return s.open(all)
}
