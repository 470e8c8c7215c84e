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
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// imageCRD creates and deletes the CRD of the kind Image of kpack.test/v1.
type imageCRD struct {
	*testing.T
	client    dynamic.Interface
	discovery discovery.DiscoveryInterface
	namespace string
}

func newImageCRD(t *testing.T, c *cluster.Cluster) imageCRD {
	t.Helper()
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	return imageCRD{T: t, client: client, discovery: c.Client(t).Discovery(), namespace: c.Namespace(t)}
}

// discovered reports whether discovery, which may lag behind, has the kind.
func (c imageCRD) discovered() bool {
	c.Helper()
	groups, err := restmapper.GetAPIGroupResources(c.discovery)
	if err != nil {
		return false
	}
	_, err = restmapper.NewDiscoveryRESTMapper(groups).RESTMapping(schema.GroupKind{Group: "kpack.test", Kind: "Image"}, "v1")
	return err == nil
}

func (c imageCRD) crds() dynamic.ResourceInterface {
	return c.client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
}

func (c imageCRD) images() dynamic.ResourceInterface {
	return c.client.Resource(schema.GroupVersionResource{Group: "kpack.test", Version: "v1", Resource: "images"}).Namespace(c.namespace)
}

func (c imageCRD) install() {
	c.Helper()
	crd := map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "images.kpack.test"},
		"spec": map[string]any{
			"group": "kpack.test", "scope": "Namespaced",
			"names": map[string]any{"kind": "Image", "plural": "images"},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			}},
		},
	}
	if _, err := c.crds().Create(c.Context(), &unstructured.Unstructured{Object: crd}, metav1.CreateOptions{}); err != nil {
		c.Fatal(err)
	}
	eventually(c.T, func() bool {
		_, err := c.images().List(c.Context(), metav1.ListOptions{})
		return err == nil && c.discovered()
	})
}

func (c imageCRD) remove() {
	c.Helper()
	if err := c.crds().Delete(c.Context(), "images.kpack.test", metav1.DeleteOptions{}); err != nil {
		c.Fatal(err)
	}
	eventually(c.T, func() bool {
		_, err := c.crds().Get(c.Context(), "images.kpack.test", metav1.GetOptions{})
		_, gone := c.images().List(c.Context(), metav1.ListOptions{})
		return apierrors.IsNotFound(err) && apierrors.IsNotFound(gone) && !c.discovered()
	})
}

func (c imageCRD) create(name string) {
	c.Helper()
	image := map[string]any{"apiVersion": "kpack.test/v1", "kind": "Image", "metadata": map[string]any{"name": name}}
	eventually(c.T, func() bool {
		_, err := c.images().Create(c.Context(), &unstructured.Unstructured{Object: image}, metav1.CreateOptions{})
		return err == nil || apierrors.IsAlreadyExists(err)
	})
}

// TestKind_AddedAndRemoved registers a kind, removes it and registers it again.
func TestKind_AddedAndRemoved(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	crd := newImageCRD(t, c)
	fake := clocktesting.NewFakeClock(time.Now())
	h := newHarness(t, c.Config, fmt.Sprintf(`{"apiVersion": "kpack.test/v1", "kind": "Image", "namespace": %q}`, crd.namespace),
		func(o *resource.Options) { o.Clock = fake })
	// within waits for a watch, and steps the clock by limit at most.
	within := func(limit time.Duration) {
		t.Helper()
		for elapsed := time.Duration(0); len(h.transport.opened) == 0; {
			eventually(t, func() bool { return fake.HasWaiters() || len(h.transport.opened) > 0 })
			if len(h.transport.opened) > 0 {
				break
			}
			if elapsed >= limit {
				t.Fatalf("no watch after %s", elapsed)
			}
			fake.Step(time.Second)
			elapsed += time.Second
			time.Sleep(20 * time.Millisecond)
		}
		h.waitForWatch()
	}

	h.run()
	eventually(t, fake.HasWaiters)
	if !h.logged(`"kind is not registered; waiting" "watch"="kpack.test/v1/Image?namespace=` + crd.namespace + `" "kind"="Image" "apiVersion"="kpack.test/v1"`) {
		t.Errorf("not logged: %v", h.lines)
	}
	crd.install()
	crd.create("before")
	within(15 * time.Second)
	crd.create("a")
	key := crd.namespace + "/"
	if diff := cmp.Diff([]string{"create " + key + "a"}, brief(h.waitForEvents(1))); diff != "" {
		t.Error(diff)
	}

	// The kind is removed while Run is stopped.
	h.stop()
	crd.remove()
	h.run()
	eventually(t, fake.HasWaiters)
	for range 30 {
		if len(h.received()) == 3 {
			break
		}
		eventually(t, fake.HasWaiters)
		fake.Step(time.Second)
		time.Sleep(20 * time.Millisecond)
	}
	if diff := cmp.Diff([]string{"delete " + key + "a", "delete " + key + "before"}, brief(h.waitForEvents(3)[1:])); diff != "" {
		t.Error(diff)
	}

	crd.install()
	crd.create("again")
	within(15 * time.Second)
	crd.create("b")
	if diff := cmp.Diff([]string{"create " + key + "b"}, brief(h.waitForEvents(4)[3:])); diff != "" {
		t.Error(diff)
	}
}

// Removing a kind during an established watch deletes its objects.
func TestKind_RemovedWhileWatching(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	crd := newImageCRD(t, c)
	crd.install()
	crd.create("a")
	h := newHarness(t, c.Config, `{"apiVersion": "kpack.test/v1", "kind": "Image"}`, func(o *resource.Options) { o.Clock = clock.RealClock{} })
	h.run()
	h.waitForWatch()
	crd.remove()
	if diff := cmp.Diff([]string{"delete " + crd.namespace + "/a"}, brief(h.waitForEvents(1))); diff != "" {
		t.Error(diff)
	}
}
