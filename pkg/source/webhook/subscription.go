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

package webhook

import (
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/rights"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// subscription implements source.Subscription for one trigger.
type subscription struct {
	*hook
	options Options
}

// Key depends on the trigger's name only: events that were stored under it are
// delivered even if the path or other properties change.
func (s subscription) Key() string { return s.name() }

// Skip implements source.Subscription. A webhook skips no event.
func (subscription) Skip(event.Event, source.Delivery) source.Reason { return "" }

// UsesCheckpoint implements source.Subscription. Its queued events have the same name.
func (s subscription) UsesCheckpoint(name string) bool { return name == s.Key() }

// Watch implements source.Subscription. A webhook watches no objects.
func (subscription) Watch() *source.Watch { return nil }

// Rights implements source.Accessor.
func (s subscription) Rights() (list []rights.Right, unknown string) { return s.hook.rights, "" }

// Open implements source.Subscription.
func (s subscription) Open([]source.Subscription) source.Source {
	return newReceiver(s.options, s.hook)
}
