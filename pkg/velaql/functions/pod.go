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

package functions

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// podHealth returns the health of a Pod.
func podHealth(p *corev1.Pod) health {
	switch p.Status.Phase {
	case corev1.PodSucceeded:
		return health{Status: healthy, Reason: p.Status.Reason, Message: p.Status.Message}
	case corev1.PodRunning:
		return runningPodHealth(p)
	case corev1.PodPending:
		return health{Status: progressing, Message: p.Status.Message}
	case corev1.PodFailed:
		return health{Status: unhealthy, Message: cmp.Or(p.Status.Message, failureMessage(p))}
	}
	return health{Status: unknown, Reason: string(p.Status.Phase), Message: p.Status.Message}
}

func runningPodHealth(p *corev1.Pod) health {
	h := health{Status: progressing, Reason: p.Status.Reason, Message: p.Status.Message}
	if p.Spec.RestartPolicy != corev1.RestartPolicyAlways {
		return h // it runs to completion
	}
	if isReady(p) {
		return health{Status: healthy, Reason: "all containers are ready"}
	}
	for _, c := range p.Status.ContainerStatuses {
		if c.LastTerminationState.Terminated != nil {
			h.Status = unhealthy
		}
	}
	return h
}

func isReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// failureMessage returns the message of the first failed container; "" if none failed.
func failureMessage(p *corev1.Pod) string {
	for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		end := c.State.Terminated
		switch {
		case end == nil:
		case end.Message != "":
			return end.Message
		case end.Reason == "OOMKilled":
			return end.Reason
		case end.ExitCode != 0:
			return fmt.Sprintf("container %q failed with exit code %d", c.Name, end.ExitCode)
		}
	}
	return ""
}

// podInfo returns the columns of `kubectl get pods`, without the age.
func podInfo(p *corev1.Pod) map[string]any {
	ready := 0
	for _, c := range p.Status.ContainerStatuses {
		if c.Ready && c.State.Running != nil && currentInitContainer(p) < 0 {
			ready++
		}
	}
	status, restarts := podStatus(p)
	return map[string]any{"Ready": fmt.Sprintf("%d/%d", ready, len(p.Spec.Containers)), "Status": status, "Restarts": restarts}
}

// currentInitContainer returns the index of the first init container that has not
// succeeded; -1 if all have.
func currentInitContainer(p *corev1.Pod) int {
	return slices.IndexFunc(p.Status.InitContainerStatuses, func(c corev1.ContainerStatus) bool {
		return c.State.Terminated == nil || c.State.Terminated.ExitCode != 0
	})
}

// podStatus returns the columns STATUS and RESTARTS of `kubectl get pods`.
func podStatus(p *corev1.Pod) (status string, restarts int32) {
	status = cmp.Or(p.Status.Reason, string(p.Status.Phase))
	if i := currentInitContainer(p); i >= 0 {
		for _, c := range p.Status.InitContainerStatuses[:i+1] {
			restarts += c.RestartCount
		}
		status = "Init:" + initContainerStatus(p, i)
	} else {
		running := false
		for _, c := range slices.Backward(p.Status.ContainerStatuses) {
			restarts += c.RestartCount
			running = running || c.Ready && c.State.Running != nil
			status = cmp.Or(containerStatus(c.State), status)
		}
		if status == "Completed" && running {
			status = "NotReady"
			if isReady(p) {
				status = "Running"
			}
		}
	}
	switch {
	case p.DeletionTimestamp == nil:
	case p.Status.Reason == "NodeLost":
		status = "Unknown"
	default:
		status = "Terminating"
	}
	return status, restarts
}

// initContainerStatus returns the status of the i-th init container.
func initContainerStatus(p *corev1.Pod, i int) string {
	state := p.Status.InitContainerStatuses[i].State
	if w := state.Waiting; w != nil && w.Reason == "PodInitializing" {
		state = corev1.ContainerState{}
	}
	return cmp.Or(containerStatus(state), fmt.Sprintf("%d/%d", i, len(p.Spec.InitContainers)))
}

// containerStatus returns why a container is waiting or terminated; "" if it is running.
func containerStatus(s corev1.ContainerState) string {
	switch {
	case s.Waiting != nil && s.Waiting.Reason != "":
		return s.Waiting.Reason
	case s.Terminated == nil:
		return ""
	case s.Terminated.Reason != "":
		return s.Terminated.Reason
	case s.Terminated.Signal != 0:
		return fmt.Sprintf("Signal:%d", s.Terminated.Signal)
	}
	return fmt.Sprintf("ExitCode:%d", s.Terminated.ExitCode)
}
