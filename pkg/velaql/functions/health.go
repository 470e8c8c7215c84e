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
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// health is the health of an object in KubeVela's format.
type health struct {
	Status  string `json:"statusCode"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

const (
	healthy     = "Healthy"
	unhealthy   = "UnHealthy"
	progressing = "Progressing"
	unknown     = "UnKnown"
)

// objectHealth returns the health of o, and additional columns for lists. Objects of
// other kinds are healthy.
func objectHealth(o *unstructured.Unstructured) (health, map[string]any, error) {
	var err error
	as := func(typed any) {
		if err = runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, typed); err != nil {
			err = fmt.Errorf("%s %s: %w", o.GetKind(), objectName(o.GetNamespace(), o.GetName()), err)
		}
	}
	h, info := health{Status: healthy}, map[string]any(nil)
	switch o.GroupVersionKind().GroupKind() {
	case groupKind("", "Pod"):
		var pod corev1.Pod
		as(&pod)
		h, info = podHealth(&pod), podInfo(&pod)
	case groupKind("", "Service"):
		var service corev1.Service
		as(&service)
		h, info = serviceHealth(&service)
	case groupKind("", "PersistentVolumeClaim"):
		var claim corev1.PersistentVolumeClaim
		as(&claim)
		h = claimHealth(claim.Status.Phase)
	case groupKind("apps", "ReplicaSet"):
		var set appsv1.ReplicaSet
		as(&set)
		h = replicaSetHealth(&set)
	case groupKind("apps", "Deployment"):
		var d appsv1.Deployment
		as(&d)
		info = map[string]any{
			"Ready":  fmt.Sprintf("%d/%d", d.Status.ReadyReplicas, replicasOrDefault(d.Spec.Replicas)),
			"Update": d.Status.UpdatedReplicas, "Available": d.Status.AvailableReplicas,
		}
	case groupKind("apps", "StatefulSet"):
		var set appsv1.StatefulSet
		as(&set)
		info = map[string]any{"Ready": fmt.Sprintf("%d/%d", set.Status.ReadyReplicas, replicasOrDefault(set.Spec.Replicas))}
	case groupKind("helm.toolkit.fluxcd.io", "HelmRelease"), groupKind("source.toolkit.fluxcd.io", "HelmRepository"):
		h = conditionHealth(o)
	}
	return h, info, err
}

// replicasOrDefault returns *replicas, or the API default 1 if it is nil.
func replicasOrDefault(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}

func serviceHealth(s *corev1.Service) (health, map[string]any) {
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return health{Status: healthy}, nil
	}
	h, address := health{Status: healthy}, "pending"
	if len(s.Status.LoadBalancer.Ingress) == 0 {
		h.Status = progressing
	}
	for _, i := range s.Status.LoadBalancer.Ingress {
		if i.IP != "" {
			address = i.IP
		}
	}
	return h, map[string]any{"EIP": address}
}

func claimHealth(phase corev1.PersistentVolumeClaimPhase) health {
	switch phase {
	case corev1.ClaimBound:
		return health{Status: healthy}
	case corev1.ClaimPending:
		return health{Status: progressing}
	case corev1.ClaimLost:
		return health{Status: unhealthy}
	}
	return health{Status: unknown}
}

func replicaSetHealth(s *appsv1.ReplicaSet) health {
	if s.Generation > s.Status.ObservedGeneration {
		return health{Status: progressing, Message: "the controller has not observed the latest generation yet"}
	}
	for _, c := range s.Status.Conditions {
		if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
			return health{Status: unhealthy, Reason: c.Reason, Message: c.Message}
		}
	}
	if replicas := replicasOrDefault(s.Spec.Replicas); s.Status.AvailableReplicas < replicas {
		return health{Status: progressing, Message: fmt.Sprintf("%d of %d replicas are available", s.Status.AvailableReplicas, replicas)}
	}
	return health{Status: healthy}
}

// conditionHealth returns the health by the condition Ready.
func conditionHealth(o *unstructured.Unstructured) health {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		c, _ := c.(map[string]any)
		if c["type"] != "Ready" {
			continue
		}
		message, _ := c["message"].(string)
		if c["status"] == "True" {
			return health{Status: healthy, Message: message}
		}
		return health{Status: unhealthy, Message: message}
	}
	return health{Status: unknown}
}
