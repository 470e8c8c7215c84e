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

import "testing"

func TestLastWriter(t *testing.T) {
	entry := func(manager, updated string) any { return map[string]any{"manager": manager, "time": updated} }
	for _, tc := range []struct {
		name          string
		managedFields any
		want          string
	}{
		{"none", nil, ""},
		{"one", []any{entry("a", "2026-01-01T00:00:00Z")}, "a"},
		{"newest", []any{entry("a", "2026-01-01T00:00:01Z"), entry("b", "2026-01-01T00:00:02Z"), entry("c", "2025-01-01T00:00:02Z")}, "b"},
		{"same-second", []any{entry("a", "2026-01-01T00:00:01Z"), entry("b", "2026-01-01T00:00:01Z")}, ""},
		{"same-second-and-manager", []any{entry("a", "2026-01-01T00:00:01Z"), entry("a", "2026-01-01T00:00:01Z")}, "a"},
		{"same-second-but-older", []any{entry("a", "2026-01-01T00:00:01Z"), entry("b", "2026-01-01T00:00:01Z"), entry("c", "2026-01-01T00:00:02Z")}, "c"},
		{"invalid", []any{"x", map[string]any{"manager": 1}}, ""},
	} {
		if got := lastWriter(tc.managedFields); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}
