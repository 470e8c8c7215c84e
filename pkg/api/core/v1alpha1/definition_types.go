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

// Package v1alpha1 is the Definition of core.oam.dev/v1alpha1, with which
// platform teams give templates to KubeVela and its addons. It is the kind that
// the original kube-trigger and KubeVela's libraries have.
//
// +kubebuilder:object:generate=true
// +groupName=core.oam.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Group and Version name the API.
const (
	Group   = "core.oam.dev"
	Version = "v1alpha1"
)

// DefinitionKind is the kind of a Definition.
const DefinitionKind = "Definition"

// Types of Definitions that kube-trigger reads.
const (
	// TriggerAction is the type of an action.
	TriggerAction = "trigger-action"
	// TriggerWorker is the type of a worker template.
	TriggerWorker = "trigger-worker"
	// TriggerActionsInForce is the type of what the controller makes for a
	// worker: the actions that its triggers use, as they are in force.
	TriggerActionsInForce = "trigger-actions-in-force"
)

// MainTemplate is the key of the template that counts.
const MainTemplate = "main.cue"

// GroupVersion is core.oam.dev/v1alpha1.
func GroupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: Group, Version: Version}
}

// AddToScheme registers the API's kinds.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion(), &Definition{}, &DefinitionList{})
	metav1.AddToGroupVersion(s, GroupVersion())
	return nil
}

// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=def
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`

// Definition is a template. The name of an action or worker template is the
// Definition's, which may begin with its type: "trigger-action-notify" and
// "notify" both define the action "notify", and the first goes before.
type Definition struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec DefinitionSpec `json:"spec"`
}

// DefinitionSpec is the template.
type DefinitionSpec struct {
	// Type says what reads it: "trigger-action" or "trigger-worker".
	Type string `json:"type"`
	// Templates are CUE, by file name. The one that counts is "main.cue".
	Templates map[string]string `json:"templates"`
	// Attributes are for whatever reads it. kube-trigger reads none.
	// +optional
	// +nullable
	// +kubebuilder:pruning:PreserveUnknownFields
	Attributes *runtime.RawExtension `json:"attributes,omitempty"`
}

// +kubebuilder:object:root=true

// DefinitionList is a list of Definitions.
type DefinitionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Definition `json:"items"`
}
