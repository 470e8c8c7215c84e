//go:build kubevela && linux

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

package node_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/node"
)

// bumpOnChange tests that a changed ConfigMap creates a revision, and that removing the
// trait bump-on-change deletes its objects.
func bumpOnChange(t *testing.T, e env) {
	ns := e.Namespace(t)
	e.Apply(t, example(t, ns, "bump-on-change/objects.yaml"))
	app := example(t, ns, "bump-on-change/application.yaml")
	e.Apply(t, app)
	e.waitForRevision(t, ns, 1)
	e.pod(t, ns, "worker")
	e.waitForReady(t, ns)
	e.setColor(t, ns, "green")
	e.waitForRevision(t, ns, 2)
	e.removeTraits(t, ns, app)
}

// trigger tests that the triggers of the trait trigger run with the rights that the trait
// grants, and that removing the trait deletes its objects.
func trigger(t *testing.T, e env) {
	ns := e.Namespace(t)
	e.Apply(t, example(t, ns, "bump-on-change/objects.yaml"))
	app := example(t, ns, "trigger-trait/application.yaml")
	e.Apply(t, app)
	e.waitForRevision(t, ns, 1)
	if account := e.account(t, ns); account == "" || account == "kube-trigger" || account == "default" {
		t.Errorf("got TriggerService with service account %q, want the account of the trait", account)
	}
	e.waitForReady(t, ns)
	e.setColor(t, ns, "green")
	e.waitForRevision(t, ns, 2)

	e.removeTraits(t, ns, app)
}

// triggerService returns the only TriggerService of a namespace.
func (e env) triggerService(ctx context.Context, namespace string) (*unstructured.Unstructured, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.FromAPIVersionAndKind("standard.oam.dev/v1alpha1", "TriggerServiceList"))
	if err := e.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	if len(list.Items) != 1 {
		return nil, fmt.Errorf("got %d TriggerServices, want 1", len(list.Items))
	}
	return &list.Items[0], nil
}

// account returns the ServiceAccount that the only TriggerService of a namespace names.
func (e env) account(t *testing.T, namespace string) string {
	t.Helper()
	service, err := e.triggerService(t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	account, _, _ := unstructured.NestedString(service.Object, "spec", "serviceAccountName")
	return account
}

// restart tests that a changed ConfigMap replaces the pods of a component that refers to it.
func restart(t *testing.T, e env) {
	ns := e.Namespace(t)
	e.Apply(t, example(t, ns, "bump-on-change/objects.yaml"))
	app := example(t, ns, "restart-on-change/application.yaml")
	e.Apply(t, app)
	e.waitForRevision(t, ns, 1)
	web := client.MatchingLabels{"app.oam.dev/component": "web"}
	before := e.restartedPod(t, ns, web, 0)
	e.waitForReady(t, ns)
	e.setColor(t, ns, "green")
	e.singlePod(t, ns, web, func(pod *corev1.Pod) bool { return pod.UID != before.UID })
	e.removeTraits(t, ns, app)
}

// waitForReady waits until the only TriggerService of a namespace is ready: an Application is
// healthy before its triggers watch.
func (e env) waitForReady(t *testing.T, namespace string) {
	t.Helper()
	cluster.Eventually(t, "ready TriggerService", func(ctx context.Context) error {
		service, err := e.triggerService(ctx, namespace)
		if err != nil {
			return err
		}
		conditions, _, _ := unstructured.NestedSlice(service.Object, "status", "conditions")
		for _, c := range conditions {
			if c, _ := c.(map[string]any); c["type"] == "Ready" && c["status"] == "True" {
				return nil
			}
		}
		return fmt.Errorf("got conditions %v", conditions)
	})
}

// removeTraits removes the traits from the Application in the YAML app, and waits until
// the objects of the traits are deleted.
func (e env) removeTraits(t *testing.T, namespace, app string) {
	t.Helper()
	without, traits, _ := strings.Cut(app, "      traits:\n")
	if traits == "" {
		t.Fatalf("no traits in:\n%s", app)
	}
	e.Apply(t, without)
	e.expectRemaining(t, namespace)
}

// example returns a file of the folder examples, with objects in the namespace and with
// PauseImage as the image.
func example(t *testing.T, namespace, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../examples", file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("namespace: default", "namespace: "+namespace, "image: nginx", "image: "+node.PauseImage).Replace(string(text))
}

// setColor sets the color in the ConfigMap settings.
func (e env) setColor(t *testing.T, namespace, color string) {
	t.Helper()
	e.Apply(t, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: %s, name: settings}\ndata: {color: %s}", namespace, color))
}

// waitForRevision waits until the Application shop is running in revision n, which means
// that its pods are ready.
func (e env) waitForRevision(t *testing.T, namespace string, n int) {
	t.Helper()
	want := fmt.Sprintf("shop-v%d", n)
	cluster.Eventually(t, "running Application shop in revision "+want, func(ctx context.Context) error {
		app := object("core.oam.dev/v1beta1", "Application")
		if err := e.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "shop"}, app); err != nil {
			return err
		}
		phase, _, _ := unstructured.NestedString(app.Object, "status", "status")
		latest, _, _ := unstructured.NestedString(app.Object, "status", "latestRevision", "name")
		if phase != "running" || latest != want {
			return fmt.Errorf("got phase %s in revision %s: status %v", phase, latest, app.Object["status"])
		}
		return e.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: want}, object("core.oam.dev/v1beta1", "ApplicationRevision"))
	})
}

// expectRemaining waits until a namespace contains no objects of kube-trigger: only the
// Deployment web, and the objects that every namespace has.
func (e env) expectRemaining(t *testing.T, namespace string) {
	t.Helper()
	for path, want := range map[string][]string{
		"standard.oam.dev/v1alpha1/TriggerService":    nil,
		"standard.oam.dev/v1alpha1/TriggerCheckpoint": nil,
		"v1/ServiceAccount":                           {"default"},
		"rbac.authorization.k8s.io/v1/Role":           nil,
		"rbac.authorization.k8s.io/v1/RoleBinding":    nil,
		"coordination.k8s.io/v1/Lease":                nil,
		"apps/v1/Deployment":                          {"web"},
	} {
		i := strings.LastIndex(path, "/")
		apiVersion, kind := path[:i], path[i+1:]
		cluster.Eventually(t, "deletion of "+path, func(ctx context.Context) error {
			list := &metav1.PartialObjectMetadataList{}
			list.SetGroupVersionKind(schema.FromAPIVersionAndKind(apiVersion, kind))
			if err := e.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
				return err
			}
			var names []string
			for i := range list.Items {
				names = append(names, list.Items[i].Name)
			}
			if !slices.Equal(names, want) {
				return fmt.Errorf("got %v, want %v", names, want)
			}
			return nil
		})
	}
}

func object(apiVersion, kind string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(schema.FromAPIVersionAndKind(apiVersion, kind))
	return o
}
