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
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/velaql/query"
)

// subscription is what one trigger asks for.
type subscription struct {
	trigger           source.Spec
	query             query.Query
	view              View
	interval, timeout time.Duration
	events            []string
	options           Options
}

// Key is the trigger's own, and changes with what it asks for: no two triggers
// share an evaluation, since each has its own last result.
func (s subscription) Key() string {
	sum := sha256.Sum256([]byte(s.query.Identity()))
	return Type + ":" + s.trigger.String() + " " + hex.EncodeToString(sum[:6])
}

// Skip returns why the trigger does not take ev: its type is not among those that
// it asked for.
func (s subscription) Skip(ev event.Event) source.Reason {
	if !slices.Contains(s.events, ev.Type) {
		return source.NotSubscribed
	}
	return ""
}

// Open returns the source of the trigger.
func (s subscription) Open([]source.Subscription) source.Source {
	return &poller{subscription: s, key: s.Key(), checkpoint: checkpoint{options: s.options, key: s.Key()}}
}
