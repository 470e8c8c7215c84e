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

package e2e

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/acceptance"
	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// suspects tests that a TriggerService that was active at two unexplained ends of the worker of
// its namespace moves to a worker of its own, and back after a change of its spec. An idle one
// stays where it is.
func suspects(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	// The right to patch the Secret is missing, so that the event waits for its retry.
	busy := func(extra string) string {
		return fmt.Sprintf(`
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {namespace: %[1]s, name: busy}
spec:
  triggers:
    - name: fails
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [update], fieldSelector: metadata.name=busy}}
      retry: {limit: 5, backoff: {initial: 10m, max: 10m}}
      action: {type: patch-resource, properties: {resource: {apiVersion: v1, kind: Secret, name: forbidden, namespace: %[1]s}, patch: {type: merge, data: {data: {}}}}}
%[2]s`, ns, extra)
	}
	i.createApplication(t, ns, "web")
	i.applyConfigMap(t, ns, "web", "0")
	i.applyConfigMap(t, ns, "busy", "0")
	i.apply(t, busy(""))
	i.apply(t, bumpTriggers(ns, "idle", ""))
	i.waitForReady(t, ns, "busy")
	i.waitForReady(t, ns, "idle")
	pod := i.activePod(t, ns)
	i.applyConfigMap(t, ns, "busy", "1")
	for death := range int64(2) {
		i.waitForService(t, ns, "busy", func(ts *v1alpha1.TriggerService) error {
			if len(ts.Status.Triggers) != 1 || ts.Status.Triggers[0].Failed != death+1 {
				return fmt.Errorf("got status %+v, want %d failed attempts", ts.Status, death+1)
			}
			return nil
		})
		pod.Kill()
	}
	i.waitForAssignment(t, ns, "busy", "kube-trigger-busy")
	ts := i.waitForService(t, ns, "busy", func(ts *v1alpha1.TriggerService) error {
		if ts.Status.SuspectedGeneration != ts.Generation {
			return fmt.Errorf("got suspected generation %d, want %d", ts.Status.SuspectedGeneration, ts.Generation)
		}
		return nil
	})
	i.waitForAssignment(t, ns, "idle", "kube-trigger")
	i.applyConfigMap(t, ns, "web", "1")
	i.waitForVersion(t, ns, "web", "2")

	i.apply(t, busy("  suspend: true"))
	i.waitForAssignment(t, ns, "busy", "kube-trigger")
	i.waitForService(t, ns, "busy", func(now *v1alpha1.TriggerService) error {
		if now.Status.SuspectedGeneration != 0 || now.Status.WorkerGeneration == ts.Generation {
			return fmt.Errorf("got status %+v, want no suspected generation", now.Status)
		}
		return nil
	})
}

// waitForAssignment waits until a TriggerService is assigned to a worker, whose Deployment exists.
func (i *installation) waitForAssignment(t *testing.T, namespace, name, worker string) {
	t.Helper()
	cluster.Eventually(t, fmt.Sprintf("worker %s of TriggerService %s", worker, name), func(ctx context.Context) error {
		d := &corev1alpha1.Definition{}
		if err := i.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: trigger.AcceptedName(name)}, d); err != nil {
			return err
		}
		if got := acceptance.Unverified(d).Worker; got != worker {
			return fmt.Errorf("got worker %q, want %q", got, worker)
		}
		return i.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: worker}, &appsv1.Deployment{})
	})
}
