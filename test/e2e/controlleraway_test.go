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
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// controllerAway tests that, without a controller, a worker that starts runs the version that
// was accepted last and not what is in the TriggerService; and that a controller with a new
// key accepts the TriggerService again, and replaces the workers that have the old key.
func controllerAway(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	for _, name := range []string{"web", "other"} {
		i.createApplication(t, ns, name)
		i.applyConfigMap(t, ns, name, "0")
	}
	i.apply(t, bumpTriggers(ns, "main", ""))
	i.waitForReady(t, ns, "main")
	i.scaleController(t, 0)

	i.apply(t, strings.ReplaceAll(bumpTriggers(ns, "main", ""), "^web", "^other"))
	old := i.singlePod(t, ns)
	old.Evict(t)
	<-old.Ended()
	i.activePod(t, ns)
	i.applyConfigMap(t, ns, "other", "1")
	i.applyConfigMap(t, ns, "web", "1")
	i.waitForVersion(t, ns, "web", "2")
	if got, err := i.version(t.Context(), ns, "other"); err != nil || got != "1" {
		t.Errorf("got version %s and error %v of what was not accepted, want 1", got, err)
	}

	key := &corev1.Secret{}
	key.Namespace, key.Name = "vela-system", "kube-trigger-signing-key"
	if err := i.admin.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	before := i.controllerKey(t, ns)
	i.scaleController(t, 1)
	i.waitForRollout(t, ns, "kube-trigger", func(*appsv1.Deployment) bool { return i.controllerKey(t, ns) != before })
	i.waitForReady(t, ns, "main")
	i.applyConfigMap(t, ns, "web", "2")
	i.applyConfigMap(t, ns, "other", "2")
	cluster.Eventually(t, "bump of other", func(ctx context.Context) error {
		if got, err := i.version(ctx, ns, "other"); err != nil || got == "1" {
			return fmt.Errorf("got version %s and error %w, want another one than 1", got, err)
		}
		return nil
	})
	i.waitForVersion(t, ns, "web", "2")
}

// scaleController sets the replicas of the controller, and waits until they run or ended.
func (i *installation) scaleController(t *testing.T, replicas int32) {
	t.Helper()
	d := &appsv1.Deployment{}
	d.Namespace, d.Name = "vela-system", "kube-trigger-controller"
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas))
	if err := i.admin.Patch(t.Context(), d, patch); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, "replicas of the controller", func(ctx context.Context) error {
		if err := i.admin.Get(ctx, client.ObjectKeyFromObject(d), d); err != nil {
			return err
		}
		if d.Status.ObservedGeneration != d.Generation || d.Status.Replicas != replicas || d.Status.ReadyReplicas != replicas {
			return fmt.Errorf("got status %+v, want %d replicas", d.Status, replicas)
		}
		return nil
	})
	for _, pod := range i.node.Pods("vela-system") {
		if replicas == 0 {
			<-pod.Ended()
		}
	}
}

// controllerKey returns the public key that the worker of the TriggerService "main" trusts.
func (i *installation) controllerKey(t *testing.T, namespace string) string {
	t.Helper()
	d := &appsv1.Deployment{}
	if err := i.admin.Get(t.Context(), types.NamespacedName{Namespace: namespace, Name: "kube-trigger"}, d); err != nil {
		t.Fatal(err)
	}
	for _, arg := range d.Spec.Template.Spec.Containers[0].Args {
		if key, ok := strings.CutPrefix(arg, "--controller-key="); ok {
			return key
		}
	}
	t.Fatalf("got arguments %q, want --controller-key", d.Spec.Template.Spec.Containers[0].Args)
	return ""
}
