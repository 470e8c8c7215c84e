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

package action_test

import (
	"fmt"
	"testing"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/action"
)

// TestTemplate_Rights: what built-in actions declare for properties.
func TestTemplate_Rights(t *testing.T) {
	for _, tt := range []struct {
		action     string
		properties map[string]any
		want       string
	}{
		{"log", nil, "[]"},
		{"scale-workload", map[string]any{"kind": "Deployment", "name": "web", "by": int64(1)}, "[{apps/v1 Deployment web false    [get patch]}]"},
		{"scale-workload", nil, "[{apps/v1   false    [patch]}]"},
		{"create-event-listener", nil, "[{standard.oam.dev/v1alpha1 EventListener  true    [create patch]}]"},
		{"notify-slack", map[string]any{"url": map[string]any{"value": "https://example.com"}}, "[]"},
		{"resume-workflow", map[string]any{"name": "web"}, "[{core.oam.dev/v1beta1 Application web false    [get]} {core.oam.dev/v1beta1 Application web false   status [patch]}]"},
		{
			"apply-resource", map[string]any{"resource": map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "a", "namespace": "b"}}},
			"[{v1 ConfigMap a false b   [create patch]}]",
		},
	} {
		source, err := actions.FS.ReadFile(tt.action + ".cue")
		if err != nil {
			t.Fatal(err)
		}
		template, problems := action.Parse(tt.action, string(source))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if got := fmt.Sprint(template.Rights(tt.properties)); got != tt.want {
			t.Errorf("%s %v: got %s, want %s", tt.action, tt.properties, got, tt.want)
		}
	}
}
