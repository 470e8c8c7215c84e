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

func TestWithin(t *testing.T) {
	object := func(more map[string]any) map[string]any {
		o := map[string]any{"a": int64(1), "list": []any{map[string]any{"b": "c", "added": true}}, "other": "x"}
		for k, v := range more {
			o[k] = v
		}
		return o
	}
	for name, tc := range map[string]struct {
		want, have map[string]any
		is         bool
	}{
		"nothing":              {map[string]any{}, object(nil), true},
		"part":                 {map[string]any{"a": 1.0, "list": []any{map[string]any{"b": "c"}}}, object(nil), true},
		"empty and absent":     {map[string]any{"none": map[string]any{}}, object(nil), true},
		"another value":        {map[string]any{"a": 2.0}, object(nil), false},
		"another kind":         {map[string]any{"a": "1"}, object(nil), false},
		"absent":               {map[string]any{"none": "x"}, object(nil), false},
		"another in a list":    {map[string]any{"list": []any{map[string]any{"b": "d"}}}, object(nil), false},
		"a longer list":        {map[string]any{"list": []any{map[string]any{"b": "c"}}}, object(map[string]any{"list": []any{map[string]any{"b": "c"}, "more"}}), false},
		"a shorter list":       {map[string]any{"list": []any{"x", "y"}}, object(map[string]any{"list": []any{"x"}}), false},
		"a list for an object": {map[string]any{"other": []any{}}, object(nil), false},
	} {
		if got := isSubset(tc.want, tc.have); got != tc.is {
			t.Errorf("%s: %v, want %v", name, got, tc.is)
		}
	}
}
