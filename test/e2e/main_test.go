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

// Package e2e tests an installation in a cluster: the manifests of addon/, a real control
// plane with RBAC, and the processes of the controller and the workers with the tokens
// of their ServiceAccounts.
package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
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
)

// program builds kube-trigger, once, and returns its path.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "kube-trigger-e2e-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "kube-trigger")
	args := []string{"build", "-o", file}
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "../../cmd/kube-trigger")...).CombinedOutput(); err != nil { //nolint:gosec // own program
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return file, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if file, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(file))
	}
	os.Exit(code)
}

// installation is a cluster with kube-trigger.
type installation struct {
	*cluster.Cluster
	admin client.Client
	node  *pods.Node

	// webhookOnce registers the validating webhook, for webhookNamespaces.
	webhookOnce       sync.Once
	webhookNamespaces [2]string
}

// install installs kube-trigger in a new cluster.
func install(t *testing.T) *installation {
	t.Helper()
	i := prepare(t)
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	i.node = pods.Run(t, i.Cluster, file)
	return i
}

// prepare applies the manifests, without running pods.
func prepare(t *testing.T) *installation {
	t.Helper()
	c := cluster.Start(t, cluster.Own(), cluster.WithControllerManager())
	c.InstallApplicationCRD(t)
	crds, err := filepath.Glob("../../addon/crds/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c.Install(t, crds...)
	scheme := runtime.NewScheme()
	if err := controller.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	admin, err := client.New(c.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	i := &installation{Cluster: c, admin: admin}
	i.apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: vela-system}")
	manifests, err := filepath.Glob("../../addon/manifests/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range manifests {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		i.apply(t, string(text))
	}
	return i
}

// apply applies YAML documents as an administrator.
func (i *installation) apply(t *testing.T, text string) {
	t.Helper()
	if err := cluster.Apply(t.Context(), i.admin, text); err != nil {
		t.Fatal(err)
	}
}

func (i *installation) service(ctx context.Context, namespace, name string) (*v1alpha1.TriggerService, error) {
	ts := &v1alpha1.TriggerService{}
	return ts, i.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, ts)
}

// ready waits until a TriggerService is Ready for its generation.
func (i *installation) ready(t *testing.T, namespace, name string) *v1alpha1.TriggerService {
	t.Helper()
	return i.until(t, namespace, name, func(ts *v1alpha1.TriggerService) error {
		c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionReady)
		if c == nil || c.Status != metav1.ConditionTrue || c.ObservedGeneration != ts.Generation || ts.Status.WorkerGeneration != ts.Generation {
			return fmt.Errorf("generation %d is not ready: %+v", ts.Generation, ts.Status)
		}
		return nil
	})
}

// until waits until check returns nil, and returns the TriggerService.
func (i *installation) until(t *testing.T, namespace, name string, check func(*v1alpha1.TriggerService) error) *v1alpha1.TriggerService {
	t.Helper()
	var last *v1alpha1.TriggerService
	cluster.Eventually(t, "TriggerService "+name, func(ctx context.Context) error {
		ts, err := i.service(ctx, namespace, name)
		if err != nil {
			return err
		}
		last = ts
		return check(ts)
	})
	return last
}

// application creates an Application with version 1.
func (i *installation) application(t *testing.T, namespace, name string) {
	t.Helper()
	i.apply(t, fmt.Sprintf(`
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {namespace: %s, name: %s, annotations: {app.oam.dev/publishVersion: "1"}}
spec: {components: []}
`, namespace, name))
}

func (i *installation) version(ctx context.Context, namespace, name string) (string, error) {
	app := &unstructured.Unstructured{}
	app.SetAPIVersion("core.oam.dev/v1beta1")
	app.SetKind("Application")
	err := i.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, app)
	return app.GetAnnotations()["app.oam.dev/publishVersion"], err
}

// bumped waits until an Application has the version.
func (i *installation) bumped(t *testing.T, namespace, name, want string) {
	t.Helper()
	cluster.Eventually(t, "Application "+name, func(ctx context.Context) error {
		got, err := i.version(ctx, namespace, name)
		if err == nil && got != want {
			err = fmt.Errorf("version %s, want %s", got, want)
		}
		return err
	})
}

// edit creates or updates a ConfigMap.
func (i *installation) edit(t *testing.T, namespace, name, value string) {
	t.Helper()
	if err := cluster.Apply(t.Context(), i.admin, configMap(namespace, name, value)); err != nil {
		t.Fatal(err)
	}
}

func configMap(namespace, name, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: %s, name: %s}\ndata: {key: %q}", namespace, name, value)
}

// singlePod returns the only pod of a namespace.
func (i *installation) singlePod(t *testing.T, namespace string) *pods.Pod {
	t.Helper()
	all := i.node.Pods(namespace)
	if len(all) != 1 {
		t.Fatalf("%d pods in %s, want 1", len(all), namespace)
	}
	return all[0]
}

// expectGone waits until a namespace has no objects of a kind.
func (i *installation) expectGone(t *testing.T, namespace string, list client.ObjectList) {
	t.Helper()
	cluster.Eventually(t, fmt.Sprintf("%T", list), func(ctx context.Context) error {
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
			return fmt.Errorf("not deleted: %s", strings.Join(names, ", "))
		}
		return nil
	})
}
