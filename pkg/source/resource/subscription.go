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

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// subscription is what one trigger asks for: objects, and types of events.
type subscription struct {
	query
	events []string
	open   func(sync bool) source.Source
}

// Key is equal for the same kind, namespace and selectors, whatever types of
// events are wanted: one watch serves them all.
func (s subscription) Key() string { return Type + ":" + s.String() }

// Wants reports whether the type of ev is among those that the trigger takes.
func (s subscription) Wants(ev event.Event) bool {
	return slices.Contains(s.events, ev.Type)
}

// Open returns one watch for all of shared.
func (s subscription) Open(shared []source.Subscription) source.Source {
	return s.open(slices.ContainsFunc(shared, func(other source.Subscription) bool {
		return other.Wants(event.Event{Type: event.Sync})
	}))
}
