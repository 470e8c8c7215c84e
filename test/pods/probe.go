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

package pods

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Get sends a GET request to a container port of the pod.
func (p *Pod) Get(ctx context.Context, port int32, path string) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Address(port)+path, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// Address returns the host:port on which the process listens for a container port. It returns
// "" if the container has no argument with this port and serves no webhooks, or has not started.
func (p *Pod) Address(port int32) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if address, ok := p.addresses[port]; ok || p.addresses[webhookPort] == "" {
		return address
	}
	return fmt.Sprintf("%s:%d", p.ip, port)
}

// probe runs the readiness probe until ctx ends, and patches the readiness of the pod when
// the result changes. Without a probe the pod is ready.
func (p *Pod) probe(ctx context.Context, pod *corev1.Pod, c corev1.Container) {
	port := int32(0)
	if c.ReadinessProbe != nil {
		for _, p := range c.Ports {
			if p.Name == c.ReadinessProbe.HTTPGet.Port.StrVal {
				port = p.ContainerPort
			}
		}
	}
	last := false
	for ctx.Err() == nil {
		ready := true
		if port != 0 {
			status, _, err := p.Get(ctx, port, c.ReadinessProbe.HTTPGet.Path)
			ready = err == nil && status == http.StatusOK
		}
		if ready != last && ctx.Err() == nil {
			p.node.patchReadiness(ctx, pod, ready)
			last = ready
		}
		select {
		case <-ctx.Done():
		case <-time.After(probeInterval):
		}
	}
}

// probeInterval is the time between two probes. It is shorter than the period of a kubelet, so
// that tests do not wait.
const probeInterval = 100 * time.Millisecond

// patchReadiness sets the readiness conditions of a pod, like a kubelet.
func (n *Node) patchReadiness(ctx context.Context, pod *corev1.Pod, ready bool) {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	patch := fmt.Sprintf(`{"status":{"phase":"Running","startTime":%q,"conditions":[{"type":"Ready","status":%q,"lastTransitionTime":%q},{"type":"ContainersReady","status":%q}]}}`,
		time.Now().UTC().Format(time.RFC3339), status, time.Now().UTC().Format(time.RFC3339), status)
	_, _ = n.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status") // the pod may be deleted
}
