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

package provider

import (
	"fmt"
	"maps"

	"cuelang.org/go/cue"
	"k8s.io/apimachinery/pkg/runtime"
)

// withRemovals returns a patch whose `data` has null at each path of `remove`. It returns
// patch if there are none. Only merge patches may have some.
func withRemovals(patch map[string]any) (map[string]any, error) {
	paths, _ := patch["remove"].([]any)
	if len(paths) == 0 {
		return patch, nil
	}
	if kind := str(patch, "type"); kind != "" && kind != "merge" {
		return nil, &ParamError{Path: "patch.remove", Message: fmt.Sprintf("has no effect on a patch of type %q: use merge", kind)}
	}
	data, ok := patch["data"].(map[string]any)
	if !ok && patch["data"] != nil {
		return nil, &ParamError{Path: "patch.data", Message: "must be an object"}
	}
	data = runtime.DeepCopyJSON(data)
	if data == nil {
		data = map[string]any{}
	}
	for i, p := range paths {
		path := fmt.Sprintf("patch.remove[%d]", i)
		text, _ := p.(string)
		names, err := fieldNames(text)
		if err != nil {
			return nil, &ParamError{Path: path, Message: err.Error()}
		}
		if !setNull(data, names) {
			return nil, &ParamError{Path: path, Message: fmt.Sprintf("%s is set in patch.data", text)}
		}
	}
	out := maps.Clone(patch)
	out["data"] = data
	return out, nil
}

// fieldNames returns the names in a path in CUE syntax, such as metadata.labels["a/b"].
func fieldNames(path string) ([]string, error) {
	invalid := fmt.Errorf(`must be the path of a field, such as spec.paused or metadata.labels["a/b"], not %q`, path)
	parsed := cue.ParsePath(path)
	if parsed.Err() != nil {
		return nil, invalid
	}
	var names []string
	for _, s := range parsed.Selectors() {
		if s.LabelType() != cue.StringLabel {
			return nil, invalid
		}
		names = append(names, s.Unquoted())
	}
	if len(names) == 0 {
		return nil, invalid
	}
	return names, nil
}

// setNull sets null at the path of names. It reports false if data has another value there,
// or one that is no object above it.
func setNull(data map[string]any, names []string) bool {
	for _, name := range names[:len(names)-1] {
		next, ok := data[name].(map[string]any)
		if !ok {
			if data[name] != nil {
				return false
			}
			next = map[string]any{}
			data[name] = next
		}
		data = next
	}
	last := names[len(names)-1]
	if data[last] != nil {
		return false
	}
	data[last] = nil
	return true
}
