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

package dynamicclient_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/kubevela/kube-trigger/pkg/dynamicclient"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// watchMetadata watches the metadata of objects.
func watchMetadata(t *testing.T, r dynamic.ResourceInterface, o metav1.ListOptions) watch.Interface {
	t.Helper()
	m, ok := r.(dynamicclient.MetadataWatcher)
	if !ok {
		t.Fatalf("%T watches no metadata", r)
	}
	w, err := m.WatchMetadata(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return w
}

// TestWatchMetadata watches objects and their metadata: the metadata is the same.
func TestWatchMetadata(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t)
	ours, _ := clients(t, c.Config)
	for _, kind := range []struct {
		resource schema.GroupVersionResource
		object   string
	}{
		{schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, annotations: {a: "ü<"}, finalizers: [a/b]}, data: {a: b}}`},
		{schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, ownerReferences: [{apiVersion: v1, kind: Pod, name: a, uid: b, controller: true}]}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: a}]}}}}`},
	} {
		t.Run(kind.resource.Resource, func(t *testing.T) {
			in := ours.Resource(kind.resource).Namespace(c.Namespace(t))
			list, err := in.List(t.Context(), metav1.ListOptions{Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			o := metav1.ListOptions{ResourceVersion: list.GetResourceVersion(), FieldSelector: "metadata.name=a"}
			whole, err := in.Watch(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer whole.Stop()
			metadata := watchMetadata(t, in, o)
			if _, err := in.Create(t.Context(), object(t, kind.object), metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, err := in.Patch(t.Context(), "a", "application/merge-patch+json", []byte(`{"metadata":{"annotations":{"number":"1e3"}}}`), metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := in.Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, err := in.Patch(t.Context(), "a", "application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}); err != nil && kind.resource.Group == "" {
				t.Fatal(err)
			}
			for i := range 3 {
				want, _ := next(t, whole)
				got, _ := next(t, metadata)
				want.Object = map[string]any{"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": want.Object["metadata"]}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("event %d: %s", i, diff)
				}
			}
		})
	}
}

// TestWatchMetadata_Whole: a server that does not support it, or refuses it, sends whole objects.
func TestWatchMetadata_Whole(t *testing.T) {
	t.Parallel()
	for _, refuses := range []bool{false, true} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if refuses && strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadata") {
				w.WriteHeader(http.StatusNotAcceptable)
				return
			}
			_, _ = io.WriteString(w, thing)
		}))
		defer server.Close()
		ours, _ := clients(t, &rest.Config{Host: server.URL})
		w := watchMetadata(t, ours.Resource(schema.GroupVersionResource{Version: "v1", Resource: "things"}), metav1.ListOptions{})
		got, _ := next(t, w)
		if u := (unstructured.Unstructured{Object: got.Object}); u.GetKind() != "Thing" {
			t.Errorf("refuses: %v: got %v", refuses, got)
		}
	}
}
