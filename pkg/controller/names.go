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

package controller

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

const (
	// DefaultServiceAccount is the ServiceAccount of TriggerServices that name none, and
	// the RoleBinding that gives it rights.
	DefaultServiceAccount = "kube-trigger"
	// WorkerRole is the ClusterRole that AccountName is bound to in its
	// namespace. The platform team owns it.
	WorkerRole = "kube-trigger-worker"
	// DefaultTemplate is the worker template of TriggerServices that name none.
	DefaultTemplate = "default"
	// FieldManager is what the controller writes as.
	FieldManager = "kube-trigger-controller"

	// ServiceLabel is the TriggerService that an object belongs to, shortened
	// where its name is long.
	ServiceLabel = "trigger.oam.dev/service"
	// desiredAnnotation is the hash of what the controller wants an object to be.
	desiredAnnotation = "trigger.oam.dev/desired"
)

// Labels are on everything that the controller makes.
func Labels() map[string]string {
	return map[string]string{"app.kubernetes.io/managed-by": FieldManager}
}

// workerLabels are on what it makes for one TriggerService.
func workerLabels(ts *v1alpha1.TriggerService) map[string]string {
	l := Labels()
	maps.Copy(l, map[string]string{
		"app.kubernetes.io/name":      "kube-trigger",
		"app.kubernetes.io/component": "worker",
		ServiceLabel:                  trigger.Label(ts.Name),
	})
	return l
}

// ownerReference returns a reference to ts. It does not hold up the deletion of ts,
// which would take a right to its finalizers.
func ownerReference(ts *v1alpha1.TriggerService, controller bool) metav1.OwnerReference {
	o := metav1.OwnerReference{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.TriggerServiceKind, Name: ts.Name, UID: ts.UID}
	if controller {
		o.Controller = ptr.To(true)
	}
	return o
}

// serviceAccountName is the ServiceAccount of the workers of ts.
func serviceAccountName(ts *v1alpha1.TriggerService) string {
	if ts.Spec.ServiceAccountName == "" {
		return DefaultServiceAccount
	}
	return ts.Spec.ServiceAccountName
}

// templateName is the worker template of ts.
func templateName(ts *v1alpha1.TriggerService) string {
	if ts.Spec.Worker == nil || ts.Spec.Worker.Template == "" {
		return DefaultTemplate
	}
	return ts.Spec.Worker.Template
}

// actionTypes are the actions that ts names, each once.
func actionTypes(ts *v1alpha1.TriggerService) []string {
	var all []string
	for _, t := range ts.Spec.Triggers {
		all = append(all, t.Action.Type)
		for _, a := range t.Actions {
			all = append(all, a.Type)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
