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

// Package e2e tests kube-trigger in a cluster, installed from the manifests of addon/. The
// control plane is real and has RBAC. The controller and the workers are local processes
// with tokens of their ServiceAccounts.
package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller"
	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/pods"
	"github.com/kubevela/kube-trigger/test/program"
)

// build builds kube-trigger on the first call, with the race detector if the tests have
// it, and returns the path of the binary.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "kube-trigger-e2e-")
	if err != nil {
		return "", err
	}
	return program.Build(context.Background(), dir, program.RaceEnabled())
})

func TestMain(m *testing.M) {
	code := m.Run()
	if file, err := build(); err == nil {
		_ = os.RemoveAll(filepath.Dir(file))
	}
	os.Exit(code)
}

// installation is a cluster with kube-trigger. Its methods are safe for concurrent use by
// subtests.
type installation struct {
	*cluster.Cluster
	admin client.Client
	node  *pods.Node

	// webhookOnce registers the validating webhook for webhookNamespaces.
	webhookOnce       sync.Once
	webhookNamespaces [2]string
}

// install installs kube-trigger in a new cluster, and runs its pods.
func install(t *testing.T) *installation {
	t.Helper()
	i := installManifests(t)
	file, err := build()
	if err != nil {
		t.Fatal(err)
	}
	i.node = pods.Run(t, i.Cluster, file)
	return i
}

// installManifests starts a cluster and applies the manifests. Pods do not run.
func installManifests(t *testing.T) *installation {
	t.Helper()
	c := cluster.Start(t, cluster.Own(), cluster.WithControllerManager())
	c.InstallKubeVelaCRDs(t)
	c.InstallKubeTrigger(t)
	scheme := runtime.NewScheme()
	if err := controller.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	admin, err := client.New(c.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return &installation{Cluster: c, admin: admin}
}

// apply creates or updates the objects of YAML documents, as an administrator.
func (i *installation) apply(t *testing.T, text string) {
	t.Helper()
	if err := cluster.Apply(t.Context(), i.admin, text); err != nil {
		t.Fatal(err)
	}
}

// triggerService reads a TriggerService.
func (i *installation) triggerService(ctx context.Context, namespace, name string) (*v1alpha1.TriggerService, error) {
	ts := &v1alpha1.TriggerService{}
	return ts, i.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, ts)
}

// waitForReady waits until the controller and the worker have observed the generation of a
// TriggerService and its condition Ready is true.
func (i *installation) waitForReady(t *testing.T, namespace, name string) *v1alpha1.TriggerService {
	t.Helper()
	return i.waitForService(t, namespace, name, func(ts *v1alpha1.TriggerService) error {
		c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionReady)
		if c == nil || c.Status != metav1.ConditionTrue || c.ObservedGeneration != ts.Generation || ts.Status.WorkerGeneration != ts.Generation {
			return fmt.Errorf("got status %+v, want generation %d to be ready", ts.Status, ts.Generation)
		}
		return nil
	})
}

// waitForService waits until check returns nil, and returns the TriggerService.
func (i *installation) waitForService(t *testing.T, namespace, name string, check func(*v1alpha1.TriggerService) error) *v1alpha1.TriggerService {
	t.Helper()
	var last *v1alpha1.TriggerService
	cluster.Eventually(t, "TriggerService "+name, func(ctx context.Context) error {
		ts, err := i.triggerService(ctx, namespace, name)
		if err != nil {
			return err
		}
		last = ts
		return check(ts)
	})
	return last
}

// createApplication creates an Application whose publishVersion is 1.
func (i *installation) createApplication(t *testing.T, namespace, name string) {
	t.Helper()
	i.apply(t, fmt.Sprintf(`
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {namespace: %s, name: %s, annotations: {app.oam.dev/publishVersion: "1"}}
spec: {components: []}
`, namespace, name))
}

// version returns the publishVersion of an Application.
func (i *installation) version(ctx context.Context, namespace, name string) (string, error) {
	app := &unstructured.Unstructured{}
	app.SetAPIVersion("core.oam.dev/v1beta1")
	app.SetKind("Application")
	err := i.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, app)
	return app.GetAnnotations()["app.oam.dev/publishVersion"], err
}

// waitForVersion waits until the publishVersion of an Application is want.
func (i *installation) waitForVersion(t *testing.T, namespace, name, want string) {
	t.Helper()
	cluster.Eventually(t, "version "+want+" of Application "+name, func(ctx context.Context) error {
		got, err := i.version(ctx, namespace, name)
		if err == nil && got != want {
			err = fmt.Errorf("got version %s, want %s", got, want)
		}
		return err
	})
}

// applyConfigMap creates or updates a ConfigMap with a value at the key "key".
func (i *installation) applyConfigMap(t *testing.T, namespace, name, value string) {
	t.Helper()
	if err := cluster.Apply(t.Context(), i.admin, configMap(namespace, name, value)); err != nil {
		t.Fatal(err)
	}
}

// configMap returns the YAML of a ConfigMap with a value at the key "key".
func configMap(namespace, name, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: %s, name: %s}\ndata: {key: %q}", namespace, name, value)
}

// singlePod returns the pod of a namespace. It fails the test unless there is exactly one.
func (i *installation) singlePod(t *testing.T, namespace string) *pods.Pod {
	t.Helper()
	all := i.node.Pods(namespace)
	if len(all) != 1 {
		t.Fatalf("got %d pods in %s, want 1", len(all), namespace)
	}
	return all[0]
}

// waitForDeletion waits until a namespace has no objects of a kind, except the objects that
// every namespace has.
func (i *installation) waitForDeletion(t *testing.T, namespace string, list client.ObjectList) {
	t.Helper()
	cluster.Eventually(t, fmt.Sprintf("deletion of the items of %T", list), func(ctx context.Context) error {
		if err := i.admin.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return err
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			return err
		}
		var names []string
		for _, o := range items {
			if m, err := meta.Accessor(o); err == nil && m.GetName() != "kube-root-ca.crt" && m.GetName() != "default" {
				names = append(names, m.GetName())
			}
		}
		if len(names) > 0 {
			return fmt.Errorf("still exists: %s", strings.Join(names, ", "))
		}
		return nil
	})
}
