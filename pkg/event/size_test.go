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

package event_test

import (
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// TestSize compares values that differ in one way.
func TestSize(t *testing.T) {
	text := strings.Repeat("x", 1000)
	for name, tc := range map[string]struct {
		smaller, larger any
		min             int64 // difference in bytes
	}{
		"string":       {"", text, 1000},
		"list":         {[]any{}, []any{text, text}, 2000},
		"field":        {map[string]any{}, map[string]any{"a": text}, 1000},
		"field's name": {map[string]any{"a": nil}, map[string]any{text: nil}, 999},
		"nested":       {map[string]any{"a": []any{map[string]any{}}}, map[string]any{"a": []any{map[string]any{"b": text}}}, 1000},
		"many values":  {[]any{}, make([]any, 1000), 16_000},
		"many fields":  {nil, map[string]any{"a": int64(1), "b": 2.5, "c": true}, 3 * 32},
	} {
		if diff := event.Size(tc.larger) - event.Size(tc.smaller); diff < tc.min || diff > 4*tc.min {
			t.Errorf("%s: differ by %d bytes, want %d to %d", name, diff, tc.min, 4*tc.min)
		}
	}
}
