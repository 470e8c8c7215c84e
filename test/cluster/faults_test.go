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
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// expired reports whether a watch from a resourceVersion gets 410 Gone.
func expired(t *testing.T, c *cluster.Cluster, namespace, resourceVersion string) bool {
	t.Helper()
	w, err := c.Client(t).CoreV1().ConfigMaps(namespace).Watch(t.Context(), metav1.ListOptions{ResourceVersion: resourceVersion})
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return true
	}
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	ev := <-w.ResultChan()
	if ev.Type != watch.Error {
		return false
	}
	err = apierrors.FromObject(ev.Object)
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
}

func TestStop_Durability(t *testing.T) {
	c := cluster.Start(t, cluster.Own())
	ns := c.Namespace(t)
	host := c.Config.Host
	create(t, c, ns, "before")

	c.StopAPIServer(t)
	if _, err := c.Client(t).CoreV1().ConfigMaps(ns).Get(t.Context(), "before", metav1.GetOptions{}); err == nil {
		t.Error("get succeeds while the API server is stopped")
	}
	c.StartAPIServer(t)
	create(t, c, ns, "between")

	c.StopEtcd(t)
	err := c.Client(t).CoreV1().RESTClient().Post().Namespace(ns).Resource("configmaps").
		Timeout(2 * time.Second).Body(configMap("lost")).Do(t.Context()).Error()
	if err == nil {
		t.Error("create succeeds while etcd is stopped")
	}
	c.StartEtcd(t)
	if got, want := names(t, c, ns), []string{"before", "between"}; !slices.Equal(got, want) {
		t.Errorf("ConfigMaps after the restarts: got %v, want %v", got, want)
	}
	if c.Config.Host != host {
		t.Errorf("got host %s, want %s", c.Config.Host, host)
	}
}

func TestExpire(t *testing.T) {
	c := cluster.Start(t, cluster.Own())
	ns := c.Namespace(t)
	old := create(t, c, ns, "a")
	create(t, c, ns, "b")
	client := c.Client(t).CoreV1().ConfigMaps(ns)
	page, err := client.List(t.Context(), metav1.ListOptions{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	create(t, c, ns, "c")
	if expired(t, c, ns, old) {
		t.Fatalf("resourceVersion %s is expired before Expire", old)
	}
	c.Expire(t)
	if !expired(t, c, ns, old) {
		t.Errorf("watch from resourceVersion %s: succeeds, want 410 Gone", old)
	}
	_, err = client.List(t.Context(), metav1.ListOptions{Limit: 1, Continue: page.Continue})
	if !apierrors.IsResourceExpired(err) {
		t.Errorf("list of the second page: got %v, want expired", err)
	}
	c.Expire(t) // succeeds without changes since the last compaction
}

func TestRestore(t *testing.T) {
	c := cluster.Start(t, cluster.Own())
	ns := c.Namespace(t)
	create(t, c, ns, "before")
	c.Snapshot(t, "first")
	var lost string
	for i := range 100 {
		lost = create(t, c, ns, fmt.Sprintf("lost-%d", i))
	}
	c.Restore(t, "first")
	if got, want := names(t, c, ns), []string{"before"}; !slices.Equal(got, want) {
		t.Errorf("ConfigMaps after Restore: got %v, want %v", got, want)
	}
	if rv := parseVersion(t, create(t, c, ns, "after")); rv > parseVersion(t, lost) {
		t.Errorf("create after Restore: got resourceVersion %d, want at most %s", rv, lost)
	}
}

func parseVersion(t *testing.T, resourceVersion string) int {
	t.Helper()
	n, err := strconv.Atoi(resourceVersion)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
