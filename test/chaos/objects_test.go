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

package chaos

import (
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// objects are the ConfigMaps of a scenario, and the changes that the API server has
// acknowledged.
type objects struct {
	t         *harness
	cluster   *cluster.Cluster
	namespace string
	kube      kubernetes.Interface
	client    typedcorev1.ConfigMapInterface

	mu sync.Mutex
	// edits counts the updates: each writes another value.
	edits int
	// uids holds the UID of each object, by its name.
	uids map[string]string
	// events holds the event IDs of acknowledged creates and updates, in order,
	// since the last reset.
	events []string
	// latest holds the ID of the last of these events of each object that is not
	// deleted, by its name.
	latest map[string]string
	// started holds the time when the request of each event was sent, by the event's ID.
	started map[string]time.Time
}

// objects returns a new namespace in the cluster that all scenarios share. Scenarios
// run one after the other, because each may stop the cluster.
func (t *harness) objects() *objects {
	t.Helper()
	c := cluster.Start(t)
	config := rest.CopyConfig(c.Config)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { utilnet.CloseIdleConnectionsFor(httpClient.Transport) })
	client, err := kubernetes.NewForConfigAndClient(config, httpClient)
	if err != nil {
		t.Fatal(err)
	}
	o := &objects{t: t, cluster: c, namespace: c.Namespace(t), kube: client, uids: map[string]string{}, latest: map[string]string{}, started: map[string]time.Time{}}
	o.client = client.CoreV1().ConfigMaps(o.namespace)
	return o
}

// trigger returns the configuration of a trigger that reports events to r. extra is
// appended as YAML.
func (o *objects) trigger(name string, r *recorder, events, extra string) string {
	return fmt.Sprintf(`
  - name: %s
    source:
      type: resource-watcher
      properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, events: [%s]}
    filter: context.data.metadata.name =~ "^object-"
    action: {type: record, properties: {url: %q}}
%s`, name, o.namespace, events, r.URL, extra)
}

// config returns the configuration of a single trigger, "record".
func (o *objects) config(r *recorder, events string) string {
	return "triggers:" + o.trigger("record", r, events, "")
}

func object(i int) string { return fmt.Sprintf("object-%05d", i) }

func eventID(cm *corev1.ConfigMap) string { return string(cm.UID) + "@" + cm.ResourceVersion }

func (o *objects) create(i int) error {
	start := time.Now()
	return o.createConfigMap(configMap(i), start)
}

func configMap(i int) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: object(i)}, Data: map[string]string{"edit": "0"}}
}

// createConfigMap creates cm and records it. start is when the request began.
func (o *objects) createConfigMap(cm *corev1.ConfigMap, start time.Time) error {
	cm, err := o.client.Create(o.t.Context(), cm, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	o.recordWrite(cm, start)
	return nil
}

func (o *objects) update(i int) error {
	o.mu.Lock()
	o.edits++
	edit := fmt.Sprint(o.edits)
	o.mu.Unlock()
	return o.set(i, "edit", edit)
}

func (o *objects) delete(i int) error {
	err := o.client.Delete(o.t.Context(), object(i), metav1.DeleteOptions{})
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.latest, object(i))
	return nil
}

func (o *objects) recordWrite(cm *corev1.ConfigMap, start time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.uids[cm.Name] = string(cm.UID)
	o.events = append(o.events, eventID(cm))
	o.latest[cm.Name] = eventID(cm)
	o.started[eventID(cm)] = start
}

// reset forgets the recorded changes.
func (o *objects) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events, o.latest = nil, map[string]string{}
}

// written returns the IDs of the acknowledged creates and updates.
func (o *objects) written() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.events...)
}

// final returns the ID of the last event of each written object.
func (o *objects) final() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var ids []string
	for _, id := range o.latest {
		ids = append(ids, id)
	}
	return ids
}

// forEach calls f with 0 to n-1, concurrently. An error fails the test.
func (t *harness) forEach(n int, f func(i int) error) {
	t.Helper()
	const concurrency = 8
	var running sync.WaitGroup
	numbers := make(chan int)
	errs := make(chan error, n)
	for range concurrency {
		running.Go(func() {
			for i := range numbers {
				if err := f(i); err != nil {
					errs <- err
				}
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	running.Wait()
	select {
	case err := <-errs:
		t.Fatal(err)
	default:
	}
}

// atRate calls f with 0 to n-1, in order, rate times a second. An error fails the
// test.
func (t *harness) atRate(n, rate int, f func(i int) error) {
	t.Helper()
	ticker := time.NewTicker(time.Second / time.Duration(rate))
	defer ticker.Stop()
	for i := range n {
		<-ticker.C
		if err := f(i); err != nil {
			t.Fatal(err)
		}
	}
}

// set sets one key of an object.
func (o *objects) set(i int, key, value string) error {
	start := time.Now()
	patch := fmt.Sprintf(`{"data":{%q:%q}}`, key, value)
	cm, err := o.client.Patch(o.t.Context(), object(i), types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		return err
	}
	o.recordWrite(cm, start)
	return nil
}
