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

package event

// Estimated memory of a value and of a map entry, in bytes.
const (
	valueSize = 32
	entrySize = 64
)

// Size returns the approximate memory that a decoded JSON value takes, in bytes. Of a
// value of another type it is that of an empty one.
func Size(value any) int64 {
	size := int64(valueSize)
	switch v := value.(type) {
	case string:
		size += int64(len(v))
	case []any:
		for _, e := range v {
			size += Size(e)
		}
	case map[string]any:
		for name, e := range v {
			size += entrySize + int64(len(name)) + Size(e)
		}
	}
	return size
}
