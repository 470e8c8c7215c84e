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

// SavedObject is an object in a checkpoint.
type SavedObject = savedObject

// State returns the saved state.
func (o savedObject) State() []byte { return o.state }

// DecodeObject decodes the value of an object.
func DecodeObject(b []byte) (SavedObject, error) { return decodeObject(b) }

// Readers returns the number of watches that read a stream, or wait for one.
func (s *Streams) Readers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, all := range s.open {
		for _, st := range all {
			n += len(st.readers)
		}
	}
	return n
}

// CheckValidity is the time for which a reader relies on a check of its own rights.
const CheckValidity = checkValidity
