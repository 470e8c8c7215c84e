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

// Package v1alpha1 has the Definition of core.oam.dev/v1alpha1, which stores action
// and worker templates. The original kube-trigger and KubeVela's libraries use the
// same kind.
//
// +kubebuilder:object:generate=true
// +groupName=core.oam.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Group and Version name the API. Group is that of KubeVela's API, whose packages this one does
// not import.
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
	// TriggerAccepted is the type of the Definition that the controller writes for each
	// worker: the accepted version of its TriggerService, signed.
	TriggerAccepted = "trigger-accepted"
)

// MainTemplate is the key of the template.
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
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Valid",type=string,JSONPath=`.status.conditions[?(@.type=="Validated")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Validated")].message`
// +kubebuilder:printcolumn:name="Description",type=string,JSONPath=`.status.description`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`

// Definition stores a template. The name of the action or worker template is the
// Definition's name without the type as a prefix: "trigger-action-notify" and
// "notify" both define the action "notify", and the first takes precedence.
type Definition struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec DefinitionSpec `json:"spec"`
	// Status is written by the controller, for the types "trigger-action" and
	// "trigger-worker".
	// +optional
	Status DefinitionStatus `json:"status,omitempty"`
}

// DefinitionSpec is the template.
type DefinitionSpec struct {
	// Type is the type of the definition: "trigger-action" or "trigger-worker".
	Type string `json:"type"`
	// Templates are CUE sources by file name. Only "main.cue" is used.
	Templates map[string]string `json:"templates"`
	// Attributes are not used by kube-trigger.
	// +optional
	// +nullable
	// +kubebuilder:pruning:PreserveUnknownFields
	Attributes *runtime.RawExtension `json:"attributes,omitempty"`
}

// DefinitionStatus says what the template is for, and whether it is valid.
type DefinitionStatus struct {
	// ObservedGeneration is the generation that the status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// CheckedBy is the version of the controller that checked the template.
	// +optional
	CheckedBy string `json:"checkedBy,omitempty"`
	// Description is what the template says about itself: the first paragraph of its first
	// comment, or the description of its metadata.
	// +optional
	Description string `json:"description,omitempty"`
	// ParameterSchema is the OpenAPI v3 schema of an action's properties. It is absent if the
	// template is invalid, or its schema too large.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	ParameterSchema *runtime.RawExtension `json:"parameterSchema,omitempty"`
	// Conditions has Validated. Its message lists all errors.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ConditionValidated is true if the template is valid. Its reasons are ReasonValid and
// ReasonInvalid.
const (
	ConditionValidated = "Validated"
	ReasonValid        = "Valid"
	ReasonInvalid      = "Invalid"
)

// +kubebuilder:object:root=true

// DefinitionList is a list of Definitions.
type DefinitionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Definition `json:"items"`
}
