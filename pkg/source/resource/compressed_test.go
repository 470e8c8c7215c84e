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

package resource_test

import (
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// TestCompressed: events of what KubeVela compresses have it decompressed, also the fields of
// `context.old`.
func TestCompressed(t *testing.T) {
	c := cluster.Start(t, cluster.WithKubeVelaCRDs())
	admin, err := client.New(c.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../compression/testdata/applicationrevision-zstd.json")
	if err != nil {
		t.Fatal(err)
	}
	revision := &unstructured.Unstructured{}
	if err := revision.UnmarshalJSON(text); err != nil {
		t.Fatal(err)
	}
	revision.SetNamespace(c.Namespace(t))
	if err := admin.Create(t.Context(), revision.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	h := newSharedHarness(t, c.Config, []triggerSpec{{
		source.Spec{Old: references(t, "context.old.spec")},
		`{"apiVersion": "core.oam.dev/v1beta1", "kind": "ApplicationRevision", "namespace": "` + revision.GetNamespace() + `", "events": ["sync", "update"]}`,
	}})
	h.run()
	h.waitForWatch()
	if err := admin.Patch(t.Context(), revision.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"a":"b"}}}`))); err != nil {
		t.Fatal(err)
	}
	for _, ev := range h.waitForEvents(2) {
		for _, data := range []map[string]any{ev.Data, ev.Old} {
			if data == nil && ev.Type == "sync" {
				continue
			}
			components, _, _ := unstructured.NestedSlice(data, "spec", "application", "spec", "components")
			if _, has, _ := unstructured.NestedMap(data, "spec", "compression"); len(components) != 1 || has {
				t.Errorf("%s: %v", ev.Type, data)
			}
		}
	}
}
