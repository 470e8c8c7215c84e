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

// keeping is a TriggerService that keeps every value which the ConfigMaps "in-…"
// ever had, as a key of the ConfigMap "kept", and the action that does it.
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

// killed: the worker's container is killed, then the controller's, then the
// worker's pod, while ConfigMaps are edited all the time. Nothing is lost, and
// what was asked of the controller meanwhile is done.
func killed(t *testing.T, b env) {
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
	b.startedPod(t, ns, part("worker"), 1)

	controller := b.pod(t, vela.Namespace, "controller")
	b.node.Kill(t, controller)
	b.Apply(t, fmt.Sprintf(keeping, late))
	b.pod(t, late, "worker")
	b.startedPod(t, vela.Namespace, part("controller"), 1)

	if err := b.Client.Delete(t.Context(), worker, &client.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)}); err != nil {
		t.Fatal(err)
	}
	b.singlePod(t, ns, part("worker"), func(pod *corev1.Pod) bool { return pod.UID != worker.UID })
	stop()
	made := <-edits
	if made.err != nil {
		t.Fatal(made.err)
	}
	b.expectKept(t, ns, made.values)
	t.Logf("of %d edits none was lost", len(made.values))
}

// editResult is what edit did.
type editResult struct {
	values []string
	err    error
}

// edit gives ConfigMaps new values, so many or until ctx ends.
func (b env) edit(ctx context.Context, namespace string, most int) editResult {
	const objects, every = 10, 50 * time.Millisecond
	var done editResult
	for n := range most {
		value := fmt.Sprintf("v%d", n)
		text := fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: %s, name: in-%d}\ndata: {value: %s}", namespace, n%objects, value)
		// What was begun is ended, so that it is known.
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

// expectKept waits until all values are kept.
func (b env) expectKept(t *testing.T, namespace string, values []string) {
	t.Helper()
	cluster.Eventually(t, "all values are kept", func(ctx context.Context) error {
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
			return fmt.Errorf("of %d values %d are missing: %v", len(values), len(missing), missing)
		}
		return nil
	})
}
