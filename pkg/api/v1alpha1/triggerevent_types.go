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

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// TriggerEventKind is the kind of a TriggerEvent.
const TriggerEventKind = "TriggerEvent"

// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=te,categories=oam
// +kubebuilder:printcolumn:name="Trigger",type=string,JSONPath=`.spec.trigger.name`
// +kubebuilder:printcolumn:name="Source",type=string,JSONPath=`.spec.event.source`
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.event.type`
// +kubebuilder:printcolumn:name="Key",type=string,JSONPath=`.spec.event.key`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.spec.failure.reason`
// +kubebuilder:printcolumn:name="Attempts",type=integer,JSONPath=`.spec.failure.attempts`
// +kubebuilder:printcolumn:name="Last",type=date,JSONPath=`.spec.failure.last`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`

// TriggerEvent is an event that a worker keeps: one that a trigger gave up, or
// one that was accepted and is not handled yet.
type TriggerEvent struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec TriggerEventSpec `json:"spec"`
}

// +kubebuilder:object:root=true

// TriggerEventList is a list of TriggerEvents.
type TriggerEventList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []TriggerEvent `json:"items"`
}

// TriggerEventSpec says what happened, and what became of it.
type TriggerEventSpec struct {
	// Event is what happened.
	Event Event `json:"event"`
	// Trigger is the trigger that gave the event up.
	// +optional
	Trigger *TriggerReference `json:"trigger,omitempty"`
	// Failure says why the trigger gave the event up. An event that is not
	// handled yet has none.
	// +optional
	Failure *Failure `json:"failure,omitempty"`
}

// TriggerReference names a trigger.
type TriggerReference struct {
	// Name of the trigger.
	Name string `json:"name"`
	// Namespace of the trigger; empty for one that comes from a file.
	// +optional
	Namespace string `json:"namespace,omitempty"`
}

// Event is something that happened.
type Event struct {
	// Source is the type of the source that emitted it.
	Source string `json:"source"`
	// Type is what happened, in the source's own words.
	// +optional
	Type string `json:"type,omitempty"`
	// ID names this happening.
	// +optional
	ID string `json:"id,omitempty"`
	// Cluster is where it happened; empty for the worker's own.
	// +optional
	Cluster string `json:"cluster,omitempty"`
	// Key names the object it happened to.
	// +optional
	Key string `json:"key,omitempty"`
	// Unchanged are watched fields of the data that did not change.
	// +optional
	Unchanged []string `json:"unchanged,omitempty"`
	// For are the triggers that were there when it happened. Default: all.
	// +optional
	For []TriggerReference `json:"for,omitzero"`
	// Writer is the field manager that wrote the object last.
	// +optional
	Writer string `json:"writer,omitempty"`
	// Time is when the source saw it.
	// +optional
	Time *metav1.MicroTime `json:"time,omitempty"`
	// Data is the object, request or tick. Of Secrets it is the name alone.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Data *runtime.RawExtension `json:"data,omitempty"`
	// Old is the object before, as far as a trigger refers to it.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Old *runtime.RawExtension `json:"old,omitempty"`
}

// Failure says why a trigger gave an event up.
type Failure struct {
	// Reason says why in words of which there are few.
	Reason string `json:"reason"`
	// Error says why in detail.
	// +optional
	Error string `json:"error,omitempty"`
	// Attempts is how often the action was tried; 0 where the filter failed.
	Attempts int `json:"attempts"`
	// First is when the first attempt began.
	// +optional
	First *metav1.MicroTime `json:"first,omitempty"`
	// Last is when the last attempt began.
	// +optional
	Last *metav1.MicroTime `json:"last,omitempty"`
	// Omitted says why the event's data is no more than the name of the
	// object: "secret", or "too large". A replay reads the object as it is then.
	// +optional
	Omitted string `json:"omitted,omitempty"`
}
