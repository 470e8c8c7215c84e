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
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// multiClusterEnv has three control planes: "hub", and "a" and "b", which may join it.
// Each has the namespace.
type multiClusterEnv struct {
	*testing.T
	clusters  map[string]*cluster.Cluster
	namespace string
	status    *statusRecorder
}

// statusRecorder records the last status of each trigger, by name.
type statusRecorder struct {
	mu   sync.Mutex
	last map[string]string
}

func (r *statusRecorder) record(t event.TriggerRef, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last[t.Name] = "works"
	if unavailable := (*multicluster.UnavailableError)(nil); errors.As(err, &unavailable) {
		r.last[t.Name] = fmt.Sprintf("%d ready; %v", unavailable.Ready, err)
	}
}

// reset clears the statuses.
func (r *statusRecorder) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.last)
}

func newMultiClusterEnv(t *testing.T) multiClusterEnv {
	e := multiClusterEnv{T: t, clusters: map[string]*cluster.Cluster{"hub": cluster.Start(t)}, status: &statusRecorder{last: map[string]string{}}}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, name := range []string{"a", "b"} {
		wg.Go(func() {
			c := cluster.Start(t, cluster.Own())
			mu.Lock()
			defer mu.Unlock()
			e.clusters[name] = c
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	e.newNamespaces()
	return e
}

// newNamespaces creates a new namespace in all control planes.
func (e *multiClusterEnv) newNamespaces() {
	e.namespace = e.clusters["hub"].Namespace(e.T)
	for _, name := range []string{"a", "b"} {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: e.namespace}}
		if _, err := e.clusters[name].Client(e).CoreV1().Namespaces().Create(e.Context(), ns, metav1.CreateOptions{}); err != nil {
			e.Fatal(err)
		}
	}
}

// join joins a control plane to the hub under the name as.
func (e multiClusterEnv) join(clusterID, as string, labels string) {
	e.Helper()
	labelSet := map[string]string{}
	if key, value, ok := strings.Cut(labels, "="); ok {
		labelSet[key] = value
	}
	e.clusters["hub"].Join(e, as, labelSet, e.clusters[clusterID].Config)
	e.Cleanup(func() { e.clusters["hub"].Detach(e, as) })
}

func (e multiClusterEnv) trigger(trigger, where string) triggerSpec {
	return triggerSpec{source.Spec{TriggerRef: event.TriggerRef{Name: trigger}}, fmt.Sprintf(
		`{"apiVersion": "v1", "kind": "ConfigMap", "namespace": %q, "fieldSelector": "metadata.name!=kube-root-ca.crt", %s}`, e.namespace, where)}
}

// connectTo returns the option to look up joined clusters on the hub of config.
func (e multiClusterEnv) connectTo(config *rest.Config) option {
	return func(o *resource.Options) {
		client, err := rest.HTTPClientFor(config)
		if err != nil {
			e.Fatal(err)
		}
		if o.Clusters, err = multicluster.New(config, client, multicluster.Auto, clock.RealClock{}); err != nil {
			e.Fatal(err)
		}
		o.OnClusterStatus = e.status.record
	}
}

func (e multiClusterEnv) create(clusterID, name string) {
	e.Helper()
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := e.clusters[clusterID].Client(e).CoreV1().ConfigMaps(e.namespace).Create(e.Context(), cm, metav1.CreateOptions{}); err != nil {
		e.Fatal(err)
	}
}

func (e multiClusterEnv) update(clusterID, name, value string) {
	e.Helper()
	patch := fmt.Sprintf(`{"data": {"v": %q}}`, value)
	if _, err := e.clusters[clusterID].Client(e).CoreV1().ConfigMaps(e.namespace).Patch(e.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		e.Fatal(err)
	}
}

func (e multiClusterEnv) delete(clusterID, name string) {
	e.Helper()
	if err := e.clusters[clusterID].Client(e).CoreV1().ConfigMaps(e.namespace).Delete(e.Context(), name, metav1.DeleteOptions{}); err != nil {
		e.Fatal(err)
	}
}

// waitForStatus waits for the status of a trigger. A want that ends with "…" is a
// prefix.
func (e multiClusterEnv) waitForStatus(trigger, want string) {
	e.Helper()
	for deadline := time.Now().Add(cluster.WaitTimeout); ; time.Sleep(5 * time.Millisecond) {
		e.status.mu.Lock()
		got := e.status.last[trigger]
		e.status.mu.Unlock()
		if ok := got == want || strings.HasSuffix(want, "…") && strings.HasPrefix(got, strings.TrimSuffix(want, "…")); ok {
			return
		}
		if time.Now().After(deadline) {
			e.Fatalf("status of %s is %q, want %q", trigger, got, want)
		}
	}
}

// waitForEvents waits for the events of the i-th trigger, in any order: "a update x".
func (e multiClusterEnv) waitForEvents(r *harness, trigger int, want ...string) {
	e.Helper()
	slices.Sort(want)
	var got []string
	for deadline := time.Now().Add(cluster.WaitTimeout); ; time.Sleep(5 * time.Millisecond) {
		got = nil
		for _, ev := range r.accepted(trigger) {
			_, name, _ := strings.Cut(ev.Key, "/")
			got = append(got, fmt.Sprintf("%s %s %s", ev.Cluster, ev.Type, name))
		}
		if len(got) >= len(want) || time.Now().After(deadline) {
			break
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		e.Fatal(diff)
	}
}

// isWatching reports whether it was logged that a cluster is watched.
func isWatching(r *harness, cluster string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.lines, func(line string) bool {
		return strings.Contains(line, `"watching"`) && strings.Contains(line, fmt.Sprintf(`"cluster"=%q`, cluster))
	})
}
