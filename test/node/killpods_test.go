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
	"math"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/vela"
)

// collector is a TriggerService with its action. The action adds the value of each changed
// ConfigMap "in-…" to the keys of the ConfigMap "collected".
const collector = `
apiVersion: core.oam.dev/v1alpha1
kind: Definition
metadata: {namespace: %[1]s, name: trigger-action-collect}
spec:
  type: trigger-action
  templates:
    main.cue: |
      import "vela/kube"
      collect: kube.#Patch & {$params: {
        resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "collected", namespace: context.data.metadata.namespace}}
        patch: {type: "merge", data: data: "\(context.data.data.value)": "yes"}
      }}
      parameter: {}
---
apiVersion: v1
kind: ConfigMap
metadata: {namespace: %[1]s, name: collected}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {namespace: %[1]s, name: collect}
rules: [{apiGroups: [''], resources: [configmaps], resourceNames: [collected], verbs: [patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: %[1]s, name: collect}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: collect}
subjects: [{kind: ServiceAccount, name: kube-trigger, namespace: %[1]s}]
---
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {namespace: %[1]s, name: main}
spec:
  triggers:
    - source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [create, update]}}
      filter: 'context: data: metadata: name: =~"^in-"'
      action: {type: collect}
`

// killPods tests that no event is lost when the worker's container is killed and its pod is
// deleted, and that the controller handles a TriggerService after its container is killed.
func killPods(t *testing.T, e env) {
	ns, other := e.Namespace(t), e.Namespace(t)
	e.Apply(t, fmt.Sprintf(collector, ns))
	worker := e.pod(t, ns, "worker")
	if worker.Spec.ServiceAccountName != "kube-trigger-worker" || worker.Spec.Containers[0].Image != image {
		t.Errorf("got worker with image %s and service account %s, want %s and kube-trigger-worker", worker.Spec.Containers[0].Image, worker.Spec.ServiceAccountName, image)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	results := make(chan editResult, 1)
	go func() { results <- e.edit(ctx, ns, math.MaxInt) }()

	e.node.Kill(t, worker)
	e.restartedPod(t, ns, componentLabels("worker"), 1)

	controller := e.pod(t, vela.Namespace, "controller")
	e.node.Kill(t, controller)
	e.Apply(t, fmt.Sprintf(collector, other))
	e.pod(t, other, "worker")
	e.restartedPod(t, vela.Namespace, componentLabels("controller"), 1)

	if err := e.Client.Delete(t.Context(), worker, &client.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)}); err != nil {
		t.Fatal(err)
	}
	e.singlePod(t, ns, componentLabels("worker"), func(pod *corev1.Pod) bool { return pod.UID != worker.UID })
	stop()
	result := <-results
	if result.err != nil {
		t.Fatal(result.err)
	}
	e.expectValues(t, ns, result.values)
	t.Logf("%d edits, none lost", len(result.values))
}

// editResult is the result of edit.
type editResult struct {
	// values are the written values.
	values []string
	err    error
}

// edit writes ConfigMaps "in-…", each time with a new value, until it has written limit
// values or ctx ends.
func (e env) edit(ctx context.Context, namespace string, limit int) editResult {
	const objects, interval = 10, 50 * time.Millisecond
	var result editResult
	for n := range limit {
		value := fmt.Sprintf("v%d", n)
		text := fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: %s, name: in-%d}\ndata: {value: %s}", namespace, n%objects, value)
		// ctx does not cancel a write, because it might have succeeded.
		if result.err = cluster.Apply(context.WithoutCancel(ctx), e.Client, text); result.err != nil {
			return result
		}
		result.values = append(result.values, value)
		select {
		case <-ctx.Done():
			return result
		case <-time.After(interval):
		}
	}
	return result
}

// expectValues waits until the ConfigMap "collected" has all values as keys.
func (e env) expectValues(t *testing.T, namespace string, values []string) {
	t.Helper()
	cluster.Eventually(t, "all values in ConfigMap collected", func(ctx context.Context) error {
		cm := &corev1.ConfigMap{}
		if err := e.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "collected"}, cm); err != nil {
			return err
		}
		var missing []string
		for _, v := range values {
			if cm.Data[v] != "yes" {
				missing = append(missing, v)
			}
		}
		if len(missing) > 0 {
			return fmt.Errorf("%d of %d values are missing: %v", len(missing), len(values), missing)
		}
		return nil
	})
}
