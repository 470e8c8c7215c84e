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

package app

import (
	"fmt"
	"testing"
)

// TestBumps_OneCause has two workers with two triggers each, one of them with a window, that
// bump the same Application: each edit of the ConfigMap raises the version once.
func TestBumps_OneCause(t *testing.T) {
	e := newEnv(t)
	e.createApplication(t, "shop")
	e.createConfigMap(t, "settings")
	config := fmt.Sprintf(`
triggers:
  - name: at-once
    source: {type: resource-watcher, properties: &settings {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, fieldSelector: metadata.name=settings, events: [update]}}
    onChange: [data]
    action: &bump {type: bump-application-revision, properties: {nameSelector: {name: shop}}}
  - name: windows
    source: {type: resource-watcher, properties: *settings}
    onChange: [data]
    debounce: %[2]s
    group: {by: context.data.metadata.namespace}
    action: *bump
`, e.namespace, debounceWindow)
	triggers := []string{"at-once", "windows"}
	var processes []*process
	for range 2 {
		p := startRun(t, e.options(t, config))
		p.waitForLog(t, "watching")
		processes = append(processes, p)
	}
	for n := 1; n <= 3; n++ {
		e.setValue(t, "settings", fmt.Sprint(n))
		for _, p := range processes {
			for _, name := range triggers {
				p.waitForDecisions(t, n, name, "Action succeeded", "")
			}
		}
		if got := e.publishVersion(t, "shop"); got != fmt.Sprint(n) {
			t.Errorf("version %s after %d edits", got, n)
		}
	}
	// Of the four actions for an edit, one bumps.
	unchanged := 0
	for _, p := range processes {
		for _, name := range triggers {
			unchanged += len(p.linesWhere(func(l map[string]any) bool { return l["trigger"] == "default/"+name && l["reason"] == "Unchanged" }))
		}
	}
	if unchanged != 9 {
		t.Errorf("%d of 12 actions changed nothing, want 9", unchanged)
	}
}
