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

// Identity returns the fields of an object that identify it and its revision: apiVersion,
// kind, name, namespace, uid and resourceVersion. It shares nothing with data.
func Identity(data map[string]any) map[string]any {
	out := map[string]any{}
	for _, field := range []string{"apiVersion", "kind"} {
		if v, ok := data[field].(string); ok {
			out[field] = v
		}
	}
	if metadata, ok := data["metadata"].(map[string]any); ok {
		kept := map[string]any{}
		for _, field := range []string{"name", "namespace", "uid", "resourceVersion"} {
			if v, ok := metadata[field].(string); ok {
				kept[field] = v
			}
		}
		out["metadata"] = kept
	}
	return out
}
