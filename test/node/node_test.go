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
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/node"
	"github.com/kubevela/kube-trigger/test/vela"
)

// image is the name of kube-trigger's image, which the test builds. It is in no registry.
const (
	imageName = "localhost/oamdev/kube-trigger"
	imageTag  = "test"
	image     = imageName + ":" + imageTag
)

// maxSize is the maximum size of the image, in MiB.
const maxSize = 100

// TestNode runs kube-trigger's image in pods, with KubeVela.
func TestNode(t *testing.T) {
	node.Require(t)
	k := vela.Start(t)
	e := env{KubeVela: k, node: node.Start(t, k.Cluster)}
	size := e.node.Image(t, image) >> 20
	t.Logf("image size: %d MiB", size)
	if size > maxSize {
		t.Errorf("got image size %d MiB, want at most %d MiB", size, maxSize)
	}
	e.enable(t)
	e.pod(t, vela.Namespace, "controller")
	t.Run("KillPods", func(t *testing.T) { killPods(t, e) })
	t.Run("BumpOnChange", func(t *testing.T) { bumpOnChange(t, e) })
	t.Run("Trigger", func(t *testing.T) { trigger(t, e) })
	t.Run("Restart", func(t *testing.T) { restart(t, e) })
	t.Run("Disable", func(t *testing.T) { disableAddon(t, e) })
}

// env is a cluster with KubeVela, kube-trigger and a node.
type env struct {
	*vela.KubeVela
	node *node.Node
}

// pod waits until a component of kube-trigger has exactly one pod in the namespace and the
// pod is ready, and returns the pod.
func (e env) pod(t *testing.T, namespace, component string) *corev1.Pod {
	t.Helper()
	return e.restartedPod(t, namespace, componentLabels(component), 0)
}

// componentLabels returns the labels of a component of kube-trigger.
func componentLabels(component string) client.MatchingLabels {
	return client.MatchingLabels{"app.kubernetes.io/name": "kube-trigger", "app.kubernetes.io/component": component}
}

// restartedPod is like singlePod. The restart count of the pod is at least restarts.
func (e env) restartedPod(t *testing.T, namespace string, labels client.MatchingLabels, restarts int32) *corev1.Pod {
	t.Helper()
	return e.singlePod(t, namespace, labels, func(pod *corev1.Pod) bool { return pod.Status.ContainerStatuses[0].RestartCount >= restarts })
}

// singlePod waits until exactly one pod in the namespace has the labels, the pod is ready
// and matches returns true for it. singlePod returns the pod.
func (e env) singlePod(t *testing.T, namespace string, labels client.MatchingLabels, matches func(*corev1.Pod) bool) *corev1.Pod {
	t.Helper()
	var found *corev1.Pod
	cluster.Eventually(t, fmt.Sprintf("ready pod %v in %s", labels, namespace), func(ctx context.Context) error {
		list := &corev1.PodList{}
		if err := e.Client.List(ctx, list, client.InNamespace(namespace), labels); err != nil {
			return err
		}
		if len(list.Items) != 1 {
			return fmt.Errorf("got %d pods, want 1", len(list.Items))
		}
		found = &list.Items[0]
		if !ready(found) || !matches(found) {
			return fmt.Errorf("pod %s does not match: status %+v", found.Name, found.Status)
		}
		return nil
	})
	return found
}

// ready reports whether a pod is running and ready, and is not being deleted.
func ready(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodRunning &&
		slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
}
