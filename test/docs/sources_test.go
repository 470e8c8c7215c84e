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

package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSources_Complete checks that docs/sources.md mentions all properties of each source,
// and all changes of the source application.
func TestSources_Complete(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/sources.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^([a-zA-Z]+)\??:|"([a-z]+[A-Z][a-zA-Z]+)"`)
	for title, folder := range map[string]string{"resource-watcher": "resource", "application": "application", "config": "config", "event": "k8sevent", "cronjob": "cron", "velaql": "velaql"} {
		_, section, found := strings.Cut(string(text), "\n## "+title+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		properties, err := os.ReadFile(filepath.Join(root, "pkg/source", folder, "properties.cue"))
		if err != nil || !found {
			t.Fatalf("section %s of docs/sources.md: found %v, %v", title, found, err)
		}
		all := names.FindAllStringSubmatch(string(properties), -1)
		if len(all) < 3 {
			t.Errorf("%s: got properties %v, want at least 3", title, all)
		}
		for _, m := range all {
			if name := m[1] + m[2]; !strings.Contains(section, "`"+name) {
				t.Errorf("docs/sources.md: section %s does not mention %s", title, name)
			}
		}
	}
}
