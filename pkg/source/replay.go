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

import "github.com/kubevela/kube-trigger/pkg/expr"

// A Replayer is a Subscription whose events can be made of those that other sources have
// recorded.
type Replayer interface {
	// Recordings returns the keys of the sources whose events suffice, the best first. The
	// first one is the subscription's own key.
	Recordings() []string
	// ReplayFields are the fields of the events' data that a replay depends on.
	ReplayFields() expr.FieldSet
	// Replay returns a replay of what the source with that key has recorded.
	Replay(key string) Replay
}

// A Replay makes the events that a trigger gets of recorded ones. It serves one goroutine.
type Replay interface {
	// Next returns the event that the trigger's source delivers for a recorded one, or false if
	// it delivers none. Recorded events come in the order of their deliveries, and are not
	// changed.
	Next(recorded Occurrence) (Occurrence, bool)
}
