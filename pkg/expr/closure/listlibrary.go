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

package closure

// concat is list.Concat(lists).
func concat(lists any) (any, Status) {
	all, ok := lists.([]any)
	if !ok {
		return nil, Absent
	}
	out := []any{}
	for _, l := range all {
		elements, ok := l.([]any)
		if !ok {
			return nil, Absent
		}
		out = append(out, elements...)
	}
	return out, Present
}

// flatten is list.FlattenN(list, depth).
func flatten(list, depth any) (any, Status) {
	elements, ok := list.([]any)
	if !ok || !isNumber(depth) {
		return nil, Absent
	}
	n, ok := depth.(int64)
	if !ok {
		return nil, Unknown
	}
	return flattened([]any{}, elements, n), Present
}

func flattened(out, list []any, depth int64) []any {
	for _, e := range list {
		if inner, ok := e.([]any); ok && depth != 0 {
			out = flattened(out, inner, depth-1)
		} else {
			out = append(out, e)
		}
	}
	return out
}

// extreme returns list.Max for 1 and list.Min for -1.
func extreme(sign int) func(list any) (any, Status) {
	return func(list any) (any, Status) {
		elements, ok := list.([]any)
		if !ok || len(elements) == 0 {
			return nil, Absent
		}
		for _, e := range elements {
			if !isNumber(e) {
				return nil, Absent
			}
		}
		out := elements[0]
		for _, e := range elements[1:] {
			n, s := compareNumbers(e, out)
			if s != Present {
				return nil, Unknown
			}
			if n*sign > 0 {
				out = e
			}
		}
		if _, ok := out.(int64); !ok {
			return nil, Unknown
		}
		return out, Present
	}
}
