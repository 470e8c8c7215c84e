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

package cluster_test

import (
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/kubevela/kube-trigger/test/cluster"
)

func configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// create creates a ConfigMap and returns its resourceVersion.
func create(t *testing.T, c *cluster.Cluster, namespace, name string) string {
	t.Helper()
	cm, err := c.Client(t).CoreV1().ConfigMaps(namespace).Create(t.Context(), configMap(name), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return cm.ResourceVersion
}

func names(t *testing.T, c *cluster.Cluster, namespace string) []string {
	t.Helper()
	list, err := c.Client(t).CoreV1().ConfigMaps(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, cm := range list.Items {
		names = append(names, cm.Name)
	}
	return names
}

func TestStart_Shared(t *testing.T) {
	c := cluster.Start(t)
	if other := cluster.Start(t); other != c {
		t.Errorf("got clusters %s and %s, want the same", c.Config.Host, other.Config.Host)
	}
	ns := c.Namespace(t)
	w, err := c.Client(t).CoreV1().ConfigMaps(ns).Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	create(t, c, ns, "a")
	ev, open := <-w.ResultChan()
	if cm, ok := ev.Object.(*corev1.ConfigMap); !open || !ok || ev.Type != watch.Added || cm.Name != "a" {
		t.Errorf("got watch event %v %v, want ADDED of ConfigMap a", ev.Type, ev.Object)
	}
}

func TestNew_Isolation(t *testing.T) {
	var wg sync.WaitGroup
	started := make([]*cluster.Cluster, 2)
	for i := range started {
		wg.Go(func() {
			c, err := cluster.New(t.Context())
			if err != nil {
				t.Errorf("cluster %d: %v", i, err)
			}
			started[i] = c
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	ns := started[0].Namespace(t)
	create(t, started[0], ns, "a")
	if got := names(t, started[1], ns); len(got) != 0 {
		t.Errorf("got ConfigMaps %v in the other cluster, want none", got)
	}
	for i, c := range started {
		if err := c.Close(); err != nil {
			t.Errorf("close cluster %d: %v", i, err)
		}
		if _, err := os.Stat(c.Kubeconfig); !os.IsNotExist(err) {
			t.Errorf("kubeconfig of cluster %d after Close: got %v, want not found", i, err)
		}
	}
}

func TestServiceAccount_Rights(t *testing.T) {
	c := cluster.Start(t)
	ns, other := c.Namespace(t), c.Namespace(t)
	client, err := kubernetes.NewForConfig(c.ServiceAccount(t, ns, "reader",
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list"}}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().ConfigMaps(ns).List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("list in the account's namespace: %v", err)
	}
	if _, err := client.CoreV1().ConfigMaps(other).List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("list in another namespace: got %v, want forbidden", err)
	}
	if _, err := client.CoreV1().ConfigMaps(ns).Create(t.Context(), configMap("a"), metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("create in the account's namespace: got %v, want forbidden", err)
	}
}

func TestUser_NoRights(t *testing.T) {
	c := cluster.Start(t)
	client, err := kubernetes.NewForConfig(c.User("jane", "developers"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("list: got %v, want forbidden", err)
	}
}

func TestInstallKubeVelaCRDs(t *testing.T) {
	c := cluster.Start(t, cluster.WithKubeVelaCRDs())
	list, err := c.Client(t).Discovery().ServerResourcesForGroupVersion("core.oam.dev/v1beta1")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list.APIResources {
		if r.Kind == "Application" {
			return
		}
	}
	t.Errorf("got %d resources in core.oam.dev/v1beta1, none of kind Application", len(list.APIResources))
}

func TestControllerManager_NamespaceDeletion(t *testing.T) {
	c := cluster.Start(t, cluster.WithControllerManager())
	ns := c.Namespace(t)
	create(t, c, ns, "a")
	namespaces := c.Client(t).CoreV1().Namespaces()
	w, err := namespaces.Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + ns})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	if err := namespaces.Delete(t.Context(), ns, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(cluster.WaitTimeout)
	for {
		select {
		case ev := <-w.ResultChan():
			if ev.Type == watch.Deleted {
				return
			}
		case <-deadline:
			t.Fatalf("wait for deletion of the namespace: not deleted after %s", cluster.WaitTimeout)
		}
	}
}

func TestStart_NoGoroutineLeaks(t *testing.T) {
	before := goleak.IgnoreCurrent()
	c := cluster.Start(t, cluster.Own())
	c.StopEtcd(t)
	goleak.VerifyNone(t, before)
}
