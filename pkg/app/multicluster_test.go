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
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// createShop creates a Deployment and a ConfigMap named web in the namespace, which
// may exist.
func createShop(t *testing.T, client kubernetes.Interface, namespace string) {
	t.Helper()
	labels := map[string]string{"app": "web"}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	_, _ = client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}) // may exist
	_, err := client.AppsV1().Deployments(namespace).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
			},
		},
	}, metav1.CreateOptions{})
	if err == nil {
		_, err = client.CoreV1().ConfigMaps(namespace).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "web", Labels: labels}}, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// restarts returns the number of changes of the Deployment.
func restarts(t *testing.T, client kubernetes.Interface, namespace string) int64 {
	t.Helper()
	d, err := client.AppsV1().Deployments(namespace).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return d.Generation - 1
}

// TestExample_MultiCluster runs examples/multi-cluster: a change of the settings in
// one of two clusters restarts the Deployment of that cluster.
func TestExample_MultiCluster(t *testing.T) {
	hub, eu := cluster.Start(t), cluster.Start(t, cluster.Own())
	namespace := hub.Namespace(t)
	clients := []kubernetes.Interface{hub.Client(t), eu.Client(t)}
	for _, c := range clients {
		createShop(t, c, namespace)
	}
	hub.Join(t, "eu-1", map[string]string{"env": "prod"}, eu.Config)
	t.Cleanup(func() { hub.Detach(t, "eu-1") })

	config := exampleConfig(t, "multi-cluster", namespace)
	// A trigger does not act on its own writes in a joined cluster, and an action that
	// fails in one cluster is not executed in another one.
	config += fmt.Sprintf(`
  - name: counts
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, matchingLabels: {app: web}, clusters: [eu-1], events: [update]}}
    action: {type: patch-resource, properties: {resource: {apiVersion: v1, kind: ConfigMap, name: web, namespace: %[1]s}, patch: {data: {metadata: {annotations: {noted: "yes"}}}}}}
  - name: to-the-hub
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, clusters: [eu-1], events: [delete]}}
    action: {type: delete-resource, properties: {cluster: local}}
  - name: nowhere
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, clusters: [eu-1], events: [delete]}}
    action: {type: delete-resource, properties: {cluster: us-1}}
    retry: {limit: 0}
`, namespace)
	p := startRun(t, runOptions(t, config, hub.Kubeconfig))
	eventually(t, "watches", func() bool { return len(p.waitForLog(t, "watching")) == 3 })

	setValue := func(client kubernetes.Interface, value string) {
		t.Helper()
		patch := fmt.Sprintf(`{"data": {"v": %q}}`, value)
		if _, err := client.CoreV1().ConfigMaps(namespace).Patch(t.Context(), "web", types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	setValue(clients[1], "1")
	eventually(t, "a restart of the Deployment", func() bool { return restarts(t, clients[1], namespace) == 1 })
	setValue(clients[0], "1")
	eventually(t, "a restart of the Deployment", func() bool { return restarts(t, clients[0], namespace) == 1 })
	eventually(t, "an annotation", func() bool {
		cm, err := clients[1].CoreV1().ConfigMaps(namespace).Get(t.Context(), "web", metav1.GetOptions{})
		return err == nil && cm.Annotations["noted"] == "yes"
	})
	if cm, err := clients[0].CoreV1().ConfigMaps(namespace).Get(t.Context(), "web", metav1.GetOptions{}); err != nil || cm.Annotations["noted"] != "" {
		t.Errorf("in the hub %v, %v", cm.Annotations, err)
	}

	if err := clients[1].CoreV1().ConfigMaps(namespace).Delete(t.Context(), "web", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the deletion in the hub", func() bool {
		_, err := clients[0].CoreV1().ConfigMaps(namespace).Get(t.Context(), "web", metav1.GetOptions{})
		return err != nil
	})
	l := p.waitForLog(t, "Event dead-lettered")
	if len(l) != 1 || l[0]["trigger"] != "default/nowhere" || l[0]["cluster"] != "eu-1" || l[0]["reason"] != "RetriesExhausted" {
		t.Errorf("dead-lettered %v", l)
	}
	if n := restarts(t, clients[0], namespace) + restarts(t, clients[1], namespace); n != 2 {
		t.Errorf("%d restarts", n)
	}
	p.stop(t)
	counts := p.linesWhere(func(l map[string]any) bool { return l["msg"] == "Action succeeded" && l["trigger"] == "default/counts" })
	if len(counts) != 1 {
		t.Errorf("actions %v", counts)
	}
}

// listingAction logs the names of the joined clusters.
const listingAction = `import ("strings", "vela/multicluster", "vela/util")
list: multicluster.#ListClusters
log: util.#Log & {$params: {data: "joined: " + strings.Join(list.$returns.outputs.clusters, " "), level: 0}}
`

// runListingAction runs listingAction for a change of the ConfigMap web, and returns the
// line of the log that has its end.
func runListingAction(t *testing.T, client kubernetes.Interface, namespace, kubeconfig, access string) string {
	t.Helper()
	o := runOptions(t, fmt.Sprintf(`triggers:
  - name: names
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, events: [update]}}
    action: {type: names}
    retry: {limit: 0}
`, namespace), kubeconfig)
	o.ClusterAccess = access
	o.ActionsDir = writeActions(t, map[string]string{"names.cue": listingAction})
	p := startRun(t, o)
	p.waitForLog(t, "watching")
	patch := fmt.Appendf(nil, `{"data": {"listed": "%d"}}`, time.Now().UnixNano()) // a change each time
	if _, err := client.CoreV1().ConfigMaps(namespace).Patch(t.Context(), "web", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	var lines []map[string]any
	eventually(t, "the end of the action", func() bool {
		lines = p.linesWhere(func(l map[string]any) bool { return l["msg"] == "template log" || l["msg"] == "Event dead-lettered" })
		return len(lines) > 0
	})
	p.stop(t)
	return fmt.Sprint(lines[0]["data"], lines[0]["err"])
}

// TestListClusters lists the clusters by their Secrets.
func TestListClusters(t *testing.T) {
	hub := cluster.Start(t, cluster.Own())
	namespace := hub.Namespace(t)
	createShop(t, hub.Client(t), namespace)
	for _, name := range []string{"us-1", "eu-1"} {
		hub.Join(t, name, nil, hub.Config)
	}
	for access, want := range map[string]string{
		"auto": "joined: eu-1 us-1", "secret": "joined: eu-1 us-1", "none": "only the worker's own cluster is available",
	} {
		if got := runListingAction(t, hub.Client(t), namespace, hub.Kubeconfig, access); !strings.Contains(got, want) {
			t.Errorf("access %s: got %s, want %s", access, got, want)
		}
	}
}

// TestClusterAccess_None: an action that computes a joined cluster is refused, without a
// retry.
func TestClusterAccess_None(t *testing.T) {
	e := newEnv(t)
	e.createConfigMap(t, "a")
	o := e.options(t, fmt.Sprintf(`triggers:
  - name: other
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, events: [update]}}
    action: {type: delete-resource, cue: 'cluster: context.data.data.v', properties: {apiVersion: v1, kind: ConfigMap, name: b, namespace: default}}
`, e.namespace))
	o.ClusterAccess = "none"
	p := startRun(t, o)
	p.waitForLog(t, "watching")
	e.setValue(t, "a", "eu-1")
	l := p.waitForLog(t, "Event dead-lettered")[0]
	if text := fmt.Sprint(l["err"]); l["reason"] != "TerminalError" || !strings.Contains(text, `cannot use cluster "eu-1": only the worker's own cluster is available`) {
		t.Errorf("got %v", l)
	}
	p.stop(t)
}
