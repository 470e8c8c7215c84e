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

package application

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

// FuzzDerive derives from arbitrary saved states and Applications. An unchanged
// Application must have no changes and the same state.
func FuzzDerive(f *testing.F) {
	f.Add([]byte(nil), `{"status": {"status": "running", "services": [{"name": "web", "healthy": true}, {"name": "web"}]}}`)
	f.Add([]byte(`{"p": "running", "h": "AAAA", "u": "AAAAAAA="}`), `{"status": {"workflow": {"finished": true, "status": 1}}}`)
	f.Add([]byte(`{"h": "AAAAAA=="}`), `{"status": {"services": [1, null, {}], "latestRevision": {"name": "a"}}}`)
	f.Fuzz(func(t *testing.T, before []byte, text string) {
		var app map[string]any
		if json.Unmarshal([]byte(text), &app) != nil {
			t.Skip()
		}
		now := nextState(before, app)
		if now == nil || decodeState(now) == nil {
			t.Fatalf("state %q", now)
		}
		derive(before, now, app)
		again := nextState(now, app)
		if diff := cmp.Diff(string(now), string(again)); diff != "" {
			t.Error(diff)
		}
		if data, isNews := derive(now, again, app); isNews {
			t.Errorf("an unchanged Application has changes %v", data["changes"])
		}
	})
}

// TestState_Size checks the number of components that the package comment and the docs
// state.
func TestState_Size(t *testing.T) {
	app := func(n int) map[string]any {
		var services []any
		for i := range n {
			services = append(services, map[string]any{"name": fmt.Sprintf("component-%d", i), "healthy": i%2 == 0})
		}
		return map[string]any{"status": map[string]any{
			"status": "workflowTerminated", "latestRevision": map[string]any{"name": "an-application-with-a-rather-long-name-v1234"},
			"workflow": map[string]any{
				"finished": true, "status": "failed", "appRevision": "an-application-with-a-rather-long-name-v1234:abcdef0123456789",
				"startTime": "2026-11-24T10:00:00Z", "endTime": "2026-11-24T10:00:00Z",
			},
			"services": services,
		}}
	}
	if size := len(nextState(nil, app(130))); size > resource.MaxState {
		t.Errorf("%d bytes for 130 components", size)
	}
	if size := len(nextState(nil, app(200))); size <= resource.MaxState {
		t.Errorf("%d bytes for 200 components: the documented number is too low", size)
	}
}
