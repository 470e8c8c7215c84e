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

// keeping is a TriggerService and its action, which add each value of the ConfigMaps
// "in-…" as a key of the ConfigMap "kept".
const keeping = `
apiVersion: core.oam.dev/v1alpha1
kind: Definition
metadata: {namespace: %[1]s, name: trigger-action-keep}
spec:
  type: trigger-action
  templates:
    main.cue: |
      import "vela/kube"
      keep: kube.#Patch & {$params: {
        resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "kept", namespace: context.data.metadata.namespace}}
        patch: {type: "merge", data: data: "\(context.data.data.value)": "yes"}
      }}
      parameter: {}
---
apiVersion: v1
kind: ConfigMap
metadata: {namespace: %[1]s, name: kept}
---
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {namespace: %[1]s, name: main}
spec:
  triggers:
    - source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [create, update]}}
      filter: 'context: data: metadata: name: =~"^in-"'
      action: {type: keep}
`

// killPods kills the containers of the worker and the controller and the worker's pod
// while ConfigMaps are edited. No event is lost, and changes for the controller are
// applied.
func killPods(t *testing.T, b env) {
	ns, late := b.Namespace(t), b.Namespace(t)
	b.Apply(t, fmt.Sprintf(keeping, ns))
	worker := b.pod(t, ns, "worker")
	if worker.Spec.ServiceAccountName != "kube-trigger" || worker.Spec.Containers[0].Image != image {
		t.Errorf("the worker runs %s as %s", worker.Spec.Containers[0].Image, worker.Spec.ServiceAccountName)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	edits := make(chan editResult, 1)
	go func() { edits <- b.edit(ctx, ns, math.MaxInt) }()

	b.node.Kill(t, worker)
	b.restartedPod(t, ns, componentLabels("worker"), 1)

	controller := b.pod(t, vela.Namespace, "controller")
	b.node.Kill(t, controller)
	b.Apply(t, fmt.Sprintf(keeping, late))
	b.pod(t, late, "worker")
	b.restartedPod(t, vela.Namespace, componentLabels("controller"), 1)

	if err := b.Client.Delete(t.Context(), worker, &client.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)}); err != nil {
		t.Fatal(err)
	}
	b.singlePod(t, ns, componentLabels("worker"), func(pod *corev1.Pod) bool { return pod.UID != worker.UID })
	stop()
	made := <-edits
	if made.err != nil {
		t.Fatal(made.err)
	}
	b.expectKept(t, ns, made.values)
	t.Logf("of %d edits none was lost", len(made.values))
}

// editResult is the result of edit.
type editResult struct {
	values []string
	err    error
}

// edit sets new values of ConfigMaps until it has set limit values or ctx ends.
func (b env) edit(ctx context.Context, namespace string, limit int) editResult {
	const objects, every = 10, 50 * time.Millisecond
	var done editResult
	for n := range limit {
		value := fmt.Sprintf("v%d", n)
		text := fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: %s, name: in-%d}\ndata: {value: %s}", namespace, n%objects, value)
		// A started write is completed, so that its result is known.
		if done.err = cluster.Apply(context.WithoutCancel(ctx), b.Client, text); done.err != nil {
			return done
		}
		done.values = append(done.values, value)
		select {
		case <-ctx.Done():
			return done
		case <-time.After(every):
		}
	}
	return done
}

// expectKept waits until the ConfigMap "kept" has all values.
func (b env) expectKept(t *testing.T, namespace string, values []string) {
	t.Helper()
	cluster.Eventually(t, "all values", func(ctx context.Context) error {
		cm := &corev1.ConfigMap{}
		if err := b.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "kept"}, cm); err != nil {
			return err
		}
		var missing []string
		for _, v := range values {
			if cm.Data[v] != "yes" {
				missing = append(missing, v)
			}
		}
		if len(missing) > 0 {
			return fmt.Errorf("%[2]d of %[1]d values are missing: %[3]v", len(values), len(missing), missing)
		}
		return nil
	})
}
