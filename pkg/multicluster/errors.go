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

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// UnavailableError lists the clusters that a trigger selects and that cannot be
// watched.
type UnavailableError struct {
	// Clusters maps the name of each such cluster to its error. The empty name has
	// the error of listing the joined clusters, if that failed.
	Clusters map[string]error
	// Ready is the number of selected clusters that are watched.
	Ready int
}

// Error returns the errors of all clusters, sorted by name.
func (e *UnavailableError) Error() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(e.Clusters)) {
		if name == allClusters {
			parts = append(parts, fmt.Sprintf("joined clusters unknown: %v", e.Clusters[name]))
			continue
		}
		parts = append(parts, fmt.Sprintf("cluster %q: %v", name, e.Clusters[name]))
	}
	return strings.Join(parts, "; ")
}

// Unwrap returns the errors of the clusters.
func (e *UnavailableError) Unwrap() []error { return slices.Collect(maps.Values(e.Clusters)) }

// notJoined returns a NotFound error for a cluster.
func notJoined(name string) error {
	return apierrors.NewNotFound(gateway.WithResource("clusters").GroupResource(), name)
}
