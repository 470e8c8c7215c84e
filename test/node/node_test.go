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

// image is kube-trigger's, by a name that no registry has.
const (
	imageName = "localhost/oamdev/kube-trigger"
	imageTag  = "test"
	image     = imageName + ":" + imageTag
)

// largest is how many MiB the image may have: it is pulled wherever a worker is.
const largest = 100

// TestNode runs kube-trigger's own image in pods, beside real KubeVela.
func TestNode(t *testing.T) {
	node.Require(t)
	k := vela.Start(t)
	b := env{KubeVela: k, node: node.Start(t, k.Cluster)}
	size := b.node.Image(t, image) >> 20
	t.Logf("the image has %d MiB", size)
	if size > largest {
		t.Errorf("the image has %d MiB, want %d at most", size, largest)
	}
	b.enable(t)
	b.pod(t, vela.Namespace, "controller")
	t.Run("Killed", func(t *testing.T) { killed(t, b) })
	t.Run("BumpOnChange", func(t *testing.T) { bumpOnChange(t, b) })
	t.Run("Trigger", func(t *testing.T) { trigger(t, b) })
	t.Run("Restart", func(t *testing.T) { restart(t, b) })
	t.Run("Disabled", func(t *testing.T) { disabled(t, b) })
}

// env is KubeVela and kube-trigger, with a node.
type env struct {
	*vela.KubeVela
	node *node.Node
}

// pod waits until there is one pod of a component of kube-trigger in a namespace,
// and it is running and ready.
func (b env) pod(t *testing.T, namespace, component string) *corev1.Pod {
	t.Helper()
	return b.startedPod(t, namespace, part(component), 0)
}

// part are the labels of a component of kube-trigger.
func part(component string) client.MatchingLabels {
	return client.MatchingLabels{"app.kubernetes.io/name": "kube-trigger", "app.kubernetes.io/component": component}
}

// startedPod waits until there is one pod with the labels, and it is running and
// ready, with containers that were started again so often at least.
func (b env) startedPod(t *testing.T, namespace string, labels client.MatchingLabels, again int32) *corev1.Pod {
	t.Helper()
	return b.singlePod(t, namespace, labels, func(pod *corev1.Pod) bool { return pod.Status.ContainerStatuses[0].RestartCount >= again })
}

// singlePod waits until there is one pod with the labels, it is running and ready, and
// it is the one wanted.
func (b env) singlePod(t *testing.T, namespace string, labels client.MatchingLabels, wanted func(*corev1.Pod) bool) *corev1.Pod {
	t.Helper()
	var found *corev1.Pod
	cluster.Eventually(t, fmt.Sprintf("pod %v in %s is ready", labels, namespace), func(ctx context.Context) error {
		list := &corev1.PodList{}
		if err := b.Client.List(ctx, list, client.InNamespace(namespace), labels); err != nil {
			return err
		}
		if len(list.Items) != 1 {
			return fmt.Errorf("there are %d", len(list.Items))
		}
		found = &list.Items[0]
		if !ready(found) || !wanted(found) {
			return fmt.Errorf("the status of %s is %+v", found.Name, found.Status)
		}
		return nil
	})
	return found
}

func ready(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodRunning &&
		slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
}
