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

package application

import (
	"encoding/json"
	"maps"
	"slices"
)

// state is the saved state of an Application. It is compact, because it is saved for
// every Application.
type state struct {
	Phase    string `json:"p,omitempty"`
	Revision string `json:"r,omitempty"`
	// Ended is the runID of the finished run of the workflow, empty while it runs.
	Ended string `json:"w,omitempty"`
	// Healthy and Unhealthy are the concatenated, sorted componentIDs.
	Healthy   []byte `json:"h,omitempty"`
	Unhealthy []byte `json:"u,omitempty"`
}

// decodeState decodes a state. It returns nil for an invalid one.
func decodeState(encoded []byte) *state {
	var s state
	if encoded == nil || json.Unmarshal(encoded, &s) != nil ||
		len(s.Healthy)%len(componentID{}) != 0 || len(s.Unhealthy)%len(componentID{}) != 0 {
		return nil
	}
	return &s
}

func (s *state) encode() []byte {
	text, err := json.Marshal(s)
	if err != nil {
		return []byte{} // cannot happen: the fields are strings and bytes
	}
	return text
}

// next returns the state of app, given the state s before, which may be nil. While a
// workflow runs, KubeVela may not report all components; the others keep their health.
func (s *state) next(app map[string]any) *state {
	status := object(app, "status")
	w := object(status, "workflow")
	next := &state{Phase: text(status, "status"), Revision: text(object(status, "latestRevision"), "name")}
	health := map[componentID]bool{}
	if w["finished"] == true {
		next.Ended = runID(w)
	} else {
		health = s.health()
	}
	reported := map[componentID]bool{}
	for _, c := range components(status) {
		id := newComponentID(c)
		healthy, duplicate := reported[id]
		reported[id] = c["healthy"] == true && (healthy || !duplicate)
	}
	maps.Copy(health, reported)
	for _, id := range slices.SortedFunc(maps.Keys(health), componentID.compare) {
		if health[id] {
			next.Healthy = append(next.Healthy, id[:]...)
		} else {
			next.Unhealthy = append(next.Unhealthy, id[:]...)
		}
	}
	return next
}

// health returns the known health of each component.
func (s *state) health() map[componentID]bool {
	health := map[componentID]bool{}
	if s == nil {
		return health
	}
	for id := range slices.Chunk(s.Healthy, len(componentID{})) {
		health[componentID(id)] = true
	}
	for id := range slices.Chunk(s.Unhealthy, len(componentID{})) {
		health[componentID(id)] = false
	}
	return health
}
