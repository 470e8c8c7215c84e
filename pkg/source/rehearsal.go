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

package source

import (
	"net/http"
	"time"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// An ObjectRehearser is a Subscription to changes of objects, which can be rehearsed.
type ObjectRehearser interface {
	// RehearseObjects returns a feed of a trigger that starts now, before there are any
	// objects.
	RehearseObjects(c clock.PassiveClock) ObjectFeed
}

// An ObjectFeed makes the events that a trigger gets of changes of objects, as its source
// does. Objects are decoded JSON, which it does not change. It serves one goroutine.
type ObjectFeed interface {
	// Add adds an object that exists when the trigger starts: it is an event only of a
	// trigger that subscribes to sync events.
	Add(object map[string]any) []Occurrence
	// Change returns the events of the change of an object: of one that was created if
	// before is nil, and deleted if after is nil. Their revisions differ.
	Change(before, after map[string]any) []Occurrence
	// Mismatch returns why the source does not select an object, such as "it is in the
	// namespace a, not b"; empty if it does.
	Mismatch(object map[string]any) string
}

// Occurrence is an event with its delivery, which has no Done.
type Occurrence struct {
	Event    event.Event
	Delivery Delivery
}

// A TickRehearser is a Subscription to a schedule.
type TickRehearser interface {
	// RehearseTicks returns a feed of a trigger that starts at start.
	RehearseTicks(start time.Time) TickFeed
}

// A TickFeed makes the events of a schedule. It serves one goroutine.
type TickFeed interface {
	// Next returns the time of the next event; zero if there is none.
	Next() time.Time
	// Tick returns the next event.
	Tick() event.Event
}

// A RequestRehearser is a Subscription to requests.
type RequestRehearser interface {
	// RehearseRequest returns the events of a request at a time, which is not
	// authenticated.
	RehearseRequest(r *http.Request, body []byte, now time.Time) ([]event.Event, error)
	// RequestPath is the path of the requests.
	RequestPath() string
}
