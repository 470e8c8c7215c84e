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

package controller

import "testing"

func TestIsSubset(t *testing.T) {
	object := func(more map[string]any) map[string]any {
		o := map[string]any{"a": int64(1), "list": []any{map[string]any{"b": "c", "added": true}}, "other": "x"}
		for k, v := range more {
			o[k] = v
		}
		return o
	}
	for name, tc := range map[string]struct {
		want, have map[string]any
		ok         bool
	}{
		"empty":           {map[string]any{}, object(nil), true},
		"partial":         {map[string]any{"a": 1.0, "list": []any{map[string]any{"b": "c"}}}, object(nil), true},
		"empty-vs-absent": {map[string]any{"none": map[string]any{}}, object(nil), true},
		"other-value":     {map[string]any{"a": 2.0}, object(nil), false},
		"other-type":      {map[string]any{"a": "1"}, object(nil), false},
		"absent":          {map[string]any{"none": "x"}, object(nil), false},
		"other-list-item": {map[string]any{"list": []any{map[string]any{"b": "d"}}}, object(nil), false},
		"longer-list":     {map[string]any{"list": []any{map[string]any{"b": "c"}}}, object(map[string]any{"list": []any{map[string]any{"b": "c"}, "more"}}), false},
		"shorter-list":    {map[string]any{"list": []any{"x", "y"}}, object(map[string]any{"list": []any{"x"}}), false},
		"list-for-string": {map[string]any{"other": []any{}}, object(nil), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := isSubset(tc.want, tc.have); got != tc.ok {
				t.Errorf("got %v, want %v", got, tc.ok)
			}
		})
	}
}
