//go:build kubevela

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

package vela_test

import (
	"context"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/compression"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// compressedObjects tests that an ApplicationRevision and a ResourceTracker are decompressed,
// as vela-core compresses them with the feature gates of its chart.
func compressedObjects(t *testing.T, k env) {
	ns := k.Namespace(t)
	k.Apply(t, application(ns, "packed", `
    - name: settings
      type: k8s-objects
      properties: {objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {color: blue}}]}
`))
	k.waitForRevision(t, ns, "packed", 1)
	// vela-core compresses an ApplicationRevision when it updates it, as for a new annotation.
	app := object("core.oam.dev/v1beta1", "Application")
	app.SetNamespace(ns)
	app.SetName("packed")
	if err := k.Client.Patch(t.Context(), app, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"note":"a"}}}`))); err != nil {
		t.Fatal(err)
	}
	revision := object("core.oam.dev/v1beta1", "ApplicationRevision")
	components := func() int {
		list, _, _ := unstructured.NestedSlice(revision.Object, "spec", "application", "spec", "components")
		return len(list)
	}
	cluster.Eventually(t, "a compressed ApplicationRevision", func(ctx context.Context) error {
		if err := k.Client.Get(ctx, types.NamespacedName{Namespace: ns, Name: "packed-v1"}, revision); err != nil {
			return err
		}
		if got := components(); got != 0 {
			return fmt.Errorf("got %d components", got)
		}
		return nil
	})
	compression.Expand(revision.Object)
	if got := components(); got != 1 {
		t.Errorf("%d components, want 1: %v", got, revision.Object["spec"])
	}

	trackers := &unstructured.UnstructuredList{}
	trackers.SetGroupVersionKind(schema.FromAPIVersionAndKind("core.oam.dev/v1beta1", "ResourceTrackerList"))
	if err := k.Client.List(t.Context(), trackers); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, tracker := range trackers.Items {
		if _, compressed, _ := unstructured.NestedString(tracker.Object, "spec", "compression", "data"); !compressed {
			continue
		}
		compression.Expand(tracker.Object)
		list, _, _ := unstructured.NestedSlice(tracker.Object, "spec", "managedResources")
		for _, resource := range list {
			if r, _ := resource.(map[string]any); r["namespace"] == ns && r["name"] == "settings" {
				found++
			}
		}
	}
	if found == 0 {
		t.Errorf("no ResourceTracker has the ConfigMap: %v", trackers.Items)
	}
}
