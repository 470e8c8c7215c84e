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

import "testing"

// TestSecretReader_RedactText replaces secrets in each encoding.
func TestSecretReader_RedactText(t *testing.T) {
	v := &secretReader{values: []string{`p&"ss/`, "https://hooks.example/a/b?token=12345678", ""}}
	for _, text := range []string{
		`p&"ss/`, "p%26%22ss%2F", `p&\"ss/`, "https://hooks.example/a/b?token=12345678", "/a/b?token=12345678", "/a/b", "12345678",
	} {
		if got := v.redactText("<" + text + ">"); got != "<…>" {
			t.Errorf("%s: %s", text, got)
		}
	}
	if got := v.redactText("https://hooks.example/ answered 400"); got != "https://hooks.example/ answered 400" {
		t.Errorf("got %s", got)
	}
}
