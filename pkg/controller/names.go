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
	// DefaultRole is the ClusterRole that v1alpha1.DefaultServiceAccount is bound to in its
	// namespace, and the name of that RoleBinding. The platform team owns it.
	DefaultRole = "kube-trigger-default"
	// WorkerRole is the ClusterRole that trigger.WorkerAccount is bound to in its
	// namespace: the rights of workers themselves.
	WorkerRole = "kube-trigger-worker"
	// ImpersonateRole is the Role, in each namespace of workers, to act as the
	// ServiceAccounts of the TriggerServices there, and the name of its RoleBinding.
	ImpersonateRole = "kube-trigger-impersonate"
	// bumpRolePrefix begins the names of the Roles to bump an Application from another
	// namespace, and of their RoleBindings.
	bumpRolePrefix = "kube-trigger-bump-"
	// configRolePrefix begins the names of the Roles to watch what a component refers to, and
	// of their RoleBindings.
	configRolePrefix = "kube-trigger-config-"
	// NamespaceTemplate is the template of the worker that runs all TriggerServices of its
	// namespace that name this template.
	NamespaceTemplate = "namespace"
	// DedicatedTemplate is the template of a worker that runs one TriggerService.
	DedicatedTemplate = "dedicated"
	// FieldManager is the field manager of the controller.
	FieldManager = "kube-trigger-controller"

	// ServiceLabel is the label with the name of an object's TriggerService, as
	// trigger.Label shortens it.
	ServiceLabel = "trigger.oam.dev/service"
	// WorkerLabel is the label of a namespace's worker. Its value is NamespaceTemplate.
	WorkerLabel = "trigger.oam.dev/worker"
	// NamespacesAnnotation of a worker template lists the namespaces whose
	// TriggerServices may use it, separated by commas; "*" in a name matches any text.
	// Without the annotation, all may.
	NamespacesAnnotation = "trigger.oam.dev/namespaces"
	// desiredAnnotation holds a hash of the object that the controller applied.
	desiredAnnotation = "trigger.oam.dev/desired"
)

// Labels returns the labels of every object that the controller creates.
func Labels() map[string]string {
	return map[string]string{"app.kubernetes.io/managed-by": FieldManager}
}

// bumpLabels returns the labels of Roles and RoleBindings to bump an Application.
func bumpLabels() map[string]string { return rightLabels("bump") }

// configLabels returns the labels of Roles and RoleBindings to watch what a component refers
// to.
func configLabels() map[string]string { return rightLabels("config") }

func rightLabels(component string) map[string]string {
	l := Labels()
	maps.Copy(l, map[string]string{"app.kubernetes.io/name": "kube-trigger", "app.kubernetes.io/component": component})
	return l
}

// serviceLabels returns the labels of the objects of one TriggerService.
func serviceLabels(ts *v1alpha1.TriggerService) map[string]string {
	l := componentLabels()
	l[ServiceLabel] = trigger.Label(ts.Name)
	return l
}

// namespaceLabels returns the labels of the worker of a namespace.
func namespaceLabels() map[string]string {
	l := componentLabels()
	l[WorkerLabel] = NamespaceTemplate
	return l
}

func componentLabels() map[string]string {
	l := Labels()
	maps.Copy(l, map[string]string{"app.kubernetes.io/name": "kube-trigger", "app.kubernetes.io/component": "worker"})
	return l
}

// ownerReference returns a reference to ts. It does not set blockOwnerDeletion, which
// needs permission to update the finalizers of ts.
func ownerReference(ts *v1alpha1.TriggerService, controller bool) metav1.OwnerReference {
	o := metav1.OwnerReference{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.TriggerServiceKind, Name: ts.Name, UID: ts.UID}
	if controller {
		o.Controller = ptr.To(true)
	}
	return o
}

// actionTypes returns the action types that ts names, sorted and without duplicates.
func actionTypes(ts *v1alpha1.TriggerService) []string {
	var names []string
	for _, t := range ts.Spec.Triggers {
		names = append(names, t.Action.Type)
		for _, a := range t.Actions {
			names = append(names, a.Type)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
