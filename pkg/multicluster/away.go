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

package multicluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// UnavailableError says from which clusters nothing is heard that are asked for, and why.
type UnavailableError struct {
	// Clusters are those, by name; and, by the empty name, which clusters are
	// joined.
	Clusters map[string]error
	// Ready is how many others there are.
	Ready int
}

// Error names all of them.
func (e *UnavailableError) Error() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(e.Clusters)) {
		if name == allClusters {
			parts = append(parts, fmt.Sprintf("which clusters are joined is not known: %v", e.Clusters[name]))
			continue
		}
		parts = append(parts, fmt.Sprintf("cluster %q: %v", name, e.Clusters[name]))
	}
	return strings.Join(parts, "; ")
}

// Unwrap returns the reasons.
func (e *UnavailableError) Unwrap() []error { return slices.Collect(maps.Values(e.Clusters)) }
