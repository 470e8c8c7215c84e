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

// bumpOnChange tests the trait bump-on-change, and that removing it deletes its objects.
func bumpOnChange(t *testing.T, b env) {
	ns := b.Namespace(t)
	b.Apply(t, example(t, ns, "bump-on-change/objects.yaml"))
	app := example(t, ns, "bump-on-change/application.yaml")
	b.Apply(t, app)
	b.waitForRevision(t, ns, 1)
	b.pod(t, ns, "worker")
	b.color(t, ns, "green")
	b.waitForRevision(t, ns, 2)
	b.removeTraits(t, ns, app)
}

// trigger tests the triggers of the trait trigger with the rights that it grants, and that
// removing it deletes its objects.
func trigger(t *testing.T, b env) {
	ns := b.Namespace(t)
	b.Apply(t, example(t, ns, "bump-on-change/objects.yaml"))
	app := example(t, ns, "trigger-trait/application.yaml")
	b.Apply(t, app)
	b.waitForRevision(t, ns, 1)
	if account := b.pod(t, ns, "worker").Spec.ServiceAccountName; account == "kube-trigger" || account == "default" {
		t.Errorf("the worker runs as %s, want the trait's account", account)
	}
	b.color(t, ns, "green")
	b.waitForRevision(t, ns, 2)

	b.removeTraits(t, ns, app)
}

// restart tests that a change of a ConfigMap that a component refers to replaces its pods.
func restart(t *testing.T, b env) {
	ns := b.Namespace(t)
	b.Apply(t, example(t, ns, "bump-on-change/objects.yaml"))
	app := example(t, ns, "restart-on-change/application.yaml")
	b.Apply(t, app)
	b.waitForRevision(t, ns, 1)
	web := client.MatchingLabels{"app.oam.dev/component": "web"}
	before := b.restartedPod(t, ns, web, 0)
	b.color(t, ns, "green")
	b.singlePod(t, ns, web, func(pod *corev1.Pod) bool { return pod.UID != before.UID })
	b.removeTraits(t, ns, app)
}

// removeTraits removes the traits of an Application, and waits until their objects are
// deleted.
func (b env) removeTraits(t *testing.T, namespace, app string) {
	t.Helper()
	without, traits, _ := strings.Cut(app, "      traits:\n")
	if traits == "" {
		t.Fatalf("no traits in:\n%s", app)
	}
	b.Apply(t, without)
	b.expectRemaining(t, namespace)
}

// example returns a file of examples, in another namespace and with an image of the node.
func example(t *testing.T, namespace, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../examples", file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("namespace: default", "namespace: "+namespace, "image: nginx", "image: "+node.Waiting).Replace(string(text))
}

func (b env) color(t *testing.T, namespace, color string) {
	t.Helper()
	b.Apply(t, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: %s, name: settings}\ndata: {color: %s}", namespace, color))
}

// waitForRevision waits until the Application shop runs in its nth revision, with ready
// pods.
func (b env) waitForRevision(t *testing.T, namespace string, n int) {
	t.Helper()
	want := fmt.Sprintf("shop-v%d", n)
	cluster.Eventually(t, "Application shop in revision "+want, func(ctx context.Context) error {
		app := object("core.oam.dev/v1beta1", "Application")
		if err := b.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "shop"}, app); err != nil {
			return err
		}
		phase, _, _ := unstructured.NestedString(app.Object, "status", "status")
		latest, _, _ := unstructured.NestedString(app.Object, "status", "latestRevision", "name")
		if phase != "running" || latest != want {
			return fmt.Errorf("%s in %s: %v", phase, latest, app.Object["status"])
		}
		return b.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: want}, object("core.oam.dev/v1beta1", "ApplicationRevision"))
	})
}

// expectRemaining waits until a namespace has only the workload web and the objects of
// every namespace.
func (b env) expectRemaining(t *testing.T, namespace string) {
	t.Helper()
	for kind, want := range map[string][]string{
		"standard.oam.dev/v1alpha1/TriggerService": nil,
		"v1/ServiceAccount":                        {"default"},
		"rbac.authorization.k8s.io/v1/Role":        nil,
		"rbac.authorization.k8s.io/v1/RoleBinding": nil,
		"coordination.k8s.io/v1/Lease":             nil,
		"apps/v1/Deployment":                       {"web"},
	} {
		at := strings.LastIndex(kind, "/")
		cluster.Eventually(t, "deletion of "+kind, func(ctx context.Context) error {
			list := &metav1.PartialObjectMetadataList{}
			list.SetGroupVersionKind(schema.FromAPIVersionAndKind(kind[:at], kind[at+1:]))
			if err := b.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
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
