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

package velaql

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/rights"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/velaql/query"
)

// subscription implements source.Subscription for one trigger.
type subscription struct {
	trigger           source.Spec
	query             query.Query
	view              View
	interval, timeout time.Duration
	events            []string
	options           Options
}

// Key is unique to the trigger, because each trigger has its own last result. It changes
// with the query.
func (s subscription) Key() string {
	sum := sha256.Sum256([]byte(s.query.Identity()))
	return Type + ":" + s.trigger.String() + " " + hex.EncodeToString(sum[:6])
}

// Skip returns source.NotSubscribed if the trigger does not subscribe to ev's type.
func (s subscription) Skip(ev event.Event, _ source.Delivery) source.Reason {
	if !slices.Contains(s.events, ev.Type) {
		return source.NotSubscribed
	}
	return ""
}

// UsesCheckpoint implements source.Subscription.
func (s subscription) UsesCheckpoint(name string) bool { return name == s.Key() }

// Watch implements source.Subscription. A view reads objects, and watches none.
func (subscription) Watch() *source.Watch { return nil }

// Rights implements source.Accessor.
func (s subscription) Rights() (list []rights.Right, unknown string) {
	if a, ok := s.view.(source.Accessor); ok {
		return a.Rights()
	}
	return nil, "the view reads what its text says"
}

// Open implements source.Subscription.
func (s subscription) Open([]source.Subscription) source.Source {
	return &poller{subscription: s, key: s.Key(), checkpoint: checkpoint{options: s.options, key: s.Key()}}
}
