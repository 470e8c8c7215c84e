//go:build hostile

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

package hostile

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/pods"
)

const (
	// honestObjects is the number of objects that are edited in turn, every honestInterval.
	honestObjects  = 20
	honestInterval = 50 * time.Millisecond
	// copyTemplate copies a value of the edited ConfigMap to another one.
	copyTemplate = `import "vela/kube"
copy: kube.#Patch & {$params: {
	resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "out-\(context.data.metadata.name)", namespace: context.data.metadata.namespace}}
	patch: {type: "merge", data: data: n: context.data.data.n}
}}
parameter: {}
`
	copySpec = `triggers:
- name: copy
  source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: $NS, events: [update]}}
  filter: 'context: data: metadata: name: =~"^in-"'
  action: {type: copy}
`
)

// honest is the namespace that attacks must not affect. A trigger in it copies a value of
// each ConfigMap in-N to out-in-N.
type honest struct {
	installation *installation
	namespace    string

	mu sync.Mutex
	// n is the value of the last edit. sent and unseen have the times of the edits that are
	// not copied, and of those that the test's own watch has not shown.
	n            int
	sent, unseen map[int]time.Time
	latencies    latencies
}

// latencies are times from the start of an edit.
type latencies struct {
	// actions are those until the action of the honest trigger has written.
	actions []time.Duration
	// plain are those until a client that only watches sees the edit: what the API server
	// and the machine take, without kube-trigger.
	plain []time.Duration
}

func newHonest(t *testing.T, i *installation) *honest {
	t.Helper()
	h := &honest{installation: i, namespace: i.Namespace(t), sent: map[int]time.Time{}, unseen: map[int]time.Time{}}
	d := &corev1alpha1.Definition{ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: "copy"}}
	d.Spec.Type, d.Spec.Templates = corev1alpha1.TriggerAction, map[string]string{corev1alpha1.MainTemplate: copyTemplate}
	objects := []client.Object{d}
	for n := range honestObjects {
		for _, prefix := range []string{"in-", "out-in-"} {
			objects = append(objects, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: prefix + strconv.Itoa(n)}})
		}
	}
	for _, o := range objects {
		if err := i.admin.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(i.allowConfigMaps(t.Context(), h.namespace), i.apply(t.Context(), serviceYAML(h.namespace, "main", copySpec)))
	if err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, "honest TriggerService", func(ctx context.Context) error { return i.ready(ctx, h.namespace, "main") })
	w, err := i.admin.Watch(t.Context(), &corev1.ConfigMapList{}, client.InNamespace(h.namespace))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	go func() {
		for e := range w.ResultChan() {
			if cm, ok := e.Object.(*corev1.ConfigMap); ok {
				h.observe(strings.HasPrefix(cm.Name, "out-"), cm.Data["n"])
			}
		}
	}()
	return h
}

func (h *honest) pod(t *testing.T) *pods.Pod {
	t.Helper()
	return h.installation.worker(t, h.namespace)
}

// observe records that an edit, or its copy, is seen.
func (h *honest) observe(isCopy bool, value string) {
	n, err := strconv.Atoi(value)
	if err != nil {
		return // not edited yet
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	pending, seen := h.unseen, &h.latencies.plain
	if isCopy {
		pending, seen = h.sent, &h.latencies.actions
	}
	if start, ok := pending[n]; ok {
		*seen = append(*seen, time.Since(start))
		delete(pending, n)
	}
}

// warmUp edits objects until the trigger is known to be in no circle, so that it pauses
// no more.
func (h *honest) warmUp(t *testing.T) {
	t.Helper()
	const events, pauses = engine.LoopLimit * (1 + engine.TrustFactor + engine.TrustFactor*engine.TrustFactor), 3
	h.measure(t, events*honestInterval+pauses*2*engine.FollowTime)
}

// measure edits objects for a time, and returns the latencies of the actions. It fails the
// test if an action is missing.
func (h *honest) measure(t *testing.T, window time.Duration) latencies {
	t.Helper()
	h.mu.Lock()
	h.latencies = latencies{}
	h.mu.Unlock()
	ticker := time.NewTicker(honestInterval)
	defer ticker.Stop()
	for end := time.Now().Add(window); time.Now().Before(end); <-ticker.C {
		h.edit(t)
	}
	cluster.Eventually(t, "honest actions", func(context.Context) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		if n := len(h.sent); n > 0 {
			return fmt.Errorf("%d of %d missing", n, n+len(h.latencies.actions))
		}
		return nil
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.latencies
}

func (h *honest) edit(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	h.n++
	n := h.n
	h.sent[n] = time.Now()
	h.unseen[n] = h.sent[n]
	h.mu.Unlock()
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"data":{"n":"%d"}}`, n))
	o := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: "in-" + strconv.Itoa(n%honestObjects)}}
	if err := h.installation.admin.Patch(t.Context(), o, patch); err != nil {
		t.Errorf("edit: %v", err)
	}
}

// newService applies a new TriggerService, waits until it is ready, deletes it, and returns
// how long it took to be ready.
func (h *honest) newService(ctx context.Context, name string) (time.Duration, error) {
	start := time.Now()
	if err := h.installation.apply(ctx, serviceYAML(h.namespace, name, copySpec)); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, cluster.WaitTimeout)
	defer cancel()
	err := h.installation.ready(ctx, h.namespace, name)
	for err != nil && ctx.Err() == nil {
		wait(ctx, 50*time.Millisecond)
		err = h.installation.ready(ctx, h.namespace, name)
	}
	took := time.Since(start)
	ts := &v1alpha1.TriggerService{ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: name}}
	return took, errors.Join(err, h.installation.admin.Delete(context.WithoutCancel(ctx), ts))
}
