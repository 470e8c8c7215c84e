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
	"os"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/kubevela/kube-trigger/pkg/sandbox"
)

// TestController_MemoryLimit: the limit of the controller has room for all concurrent
// checks, because kubelet ends the whole container if it exceeds the limit.
func TestController_MemoryLimit(t *testing.T) {
	const (
		// checks are those of TriggerServices, the one in the background, and those of
		// the webhook. own is the memory of the controller itself.
		checks = maxChecks + 1 + maxChecks
		own    = 512 << 20
	)
	file, err := os.Open("../../addon/manifests/controller.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	decoder := yaml.NewYAMLOrJSONDecoder(file, 4096)
	for {
		d := &appsv1.Deployment{}
		if err := decoder.Decode(d); err != nil {
			t.Fatalf("no Deployment: %v", err)
		}
		if d.Kind != "Deployment" {
			continue
		}
		if got, want := d.Spec.Template.Spec.Containers[0].Resources.Limits.Memory().Value(), int64(checks*sandbox.MaxMemory+own); got < want {
			t.Errorf("memory limit of the controller: got %d MiB, want at least %d MiB", got>>20, want>>20)
		}
		return
	}
}
