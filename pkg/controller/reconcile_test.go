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

func TestAllowedNamespace(t *testing.T) {
	for list, want := range map[string]bool{
		"team-a": true, "team-b": false, "": false, "team-b, team-a": true, "team-*": true, "*": true, "eam-a,": false, "[": false,
	} {
		if got := allowedNamespace(map[string]string{NamespacesAnnotation: list}, "team-a"); got != want {
			t.Errorf("%q: %t", list, got)
		}
	}
	if !allowedNamespace(nil, "team-a") {
		t.Error("a template without the annotation is not allowed")
	}
}
