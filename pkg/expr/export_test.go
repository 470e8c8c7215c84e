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

package expr

import (
	"maps"
	"slices"
)

// Paths returns the paths of the fields in s, sorted. None is a prefix of another.
// The set of all fields has a single path, which is empty.
func (s FieldSet) Paths() [][]string {
	var paths [][]string
	var collect func(n *fieldNode, path []string)
	collect = func(n *fieldNode, path []string) {
		if n.all {
			paths = append(paths, slices.Clone(path))
			return
		}
		for _, name := range slices.Sorted(maps.Keys(n.fields)) {
			collect(n.fields[name], append(path, name))
		}
	}
	if s.root != nil {
		collect(s.root, nil)
	}
	return paths
}
