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

package resource

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
)

// TestQuery_ListOptions: a watch does not select the objects in which checkpoints are
// saved.
func TestQuery_ListOptions(t *testing.T) {
	for kind, want := range map[runtimeschema.GroupVersionKind]string{
		{Group: "standard.oam.dev", Version: "v1alpha1", Kind: "TriggerCheckpoint"}: "app=web,!trigger.oam.dev/store",
		{Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"}:                "app=web,!trigger.oam.dev/store",
		{Group: "standard.oam.dev", Version: "v1alpha1", Kind: "TriggerEvent"}:      "app=web",
		{Version: "v1", Kind: "ConfigMap"}:                                          "app=web",
	} {
		if got := (query{kind: kind, labels: "app=web"}).listOptions(metav1.ListOptions{}).LabelSelector; got != want {
			t.Errorf("%s: got selector %q, want %q", kind.Kind, got, want)
		}
	}
}
