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

// TriggerEvent is an event in the store of a worker: a dead letter, a queued
// event that is not handled yet, or a request to fire a trigger by hand.
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

// TriggerEventSpec is the event and, for a dead letter, the failure.
type TriggerEventSpec struct {
	// Event is the event.
	Event Event `json:"event"`
	// Trigger is the trigger of the dead letter.
	// +optional
	Trigger *TriggerReference `json:"trigger,omitempty"`
	// Failure is the reason of the dead letter. Queued events have none.
	// +optional
	Failure *Failure `json:"failure,omitempty"`
	// Fire is a request to fire Trigger once by hand. Its user needs the verb "fire" on the
	// TriggerService. Event has nothing but a source then.
	// +optional
	Fire *Fire `json:"fire,omitempty"`
}

// Fire is a request to fire a trigger by hand.
type Fire struct {
	// TriggerService is the name of the TriggerService of the trigger.
	TriggerService string `json:"triggerService"`
	// Object refers to the object to handle. The worker reads it. A trigger with a schedule
	// has none.
	// +optional
	Object *FiredObject `json:"object,omitempty"`
}

// FiredObject refers to an object that a trigger watches.
type FiredObject struct {
	// APIVersion of the object.
	APIVersion string `json:"apiVersion"`
	// Kind of the object.
	Kind string `json:"kind"`
	// Namespace of the object; empty if its kind has none.
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// Name of the object.
	Name string `json:"name"`
}

// TriggerReference names a trigger.
type TriggerReference struct {
	// Name of the trigger.
	Name string `json:"name"`
	// Namespace of the trigger; empty for one that comes from a file.
	// +optional
	Namespace string `json:"namespace,omitempty"`
}

// Event is something that happened, as the source describes it.
type Event struct {
	// Source is the type of the source.
	Source string `json:"source"`
	// Type is the type of the event, as the source defines it.
	// +optional
	Type string `json:"type,omitempty"`
	// ID identifies the event. A repeated event has the same ID.
	// +optional
	ID string `json:"id,omitempty"`
	// Cluster is the cluster of the object. Empty for the worker's cluster.
	// +optional
	Cluster string `json:"cluster,omitempty"`
	// Key identifies the object, and orders events.
	// +optional
	Key string `json:"key,omitempty"`
	// Time is the time at which the source received it.
	// +optional
	Time *metav1.MicroTime `json:"time,omitempty"`
	// Data is the object, request or tick. For Secrets it is the name only.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Data *runtime.RawExtension `json:"data,omitempty"`
	// Old has the fields of the previous object that triggers refer to.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Old *runtime.RawExtension `json:"old,omitempty"`
	// Batch lists the objects of the event's group.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Batch *runtime.RawExtension `json:"batch,omitempty"`
}

// Failure is the reason of a dead letter.
type Failure struct {
	// Reason is the reason in CamelCase, such as "TerminalError".
	Reason string `json:"reason"`
	// Error is the error of the last attempt.
	// +optional
	Error string `json:"error,omitempty"`
	// Attempts is the number of attempts of the action; 0 if the filter failed.
	Attempts int `json:"attempts"`
	// First is the start of the first attempt.
	// +optional
	First *metav1.MicroTime `json:"first,omitempty"`
	// Last is the start of the last attempt.
	// +optional
	Last *metav1.MicroTime `json:"last,omitempty"`
	// Omitted is "secret", "too large" or "reference" if the event's data is only the name of
	// the object. A replay then reads the current object. It is "not needed" if the data is only
	// the metadata of the object, because the trigger needed no more. A replay then reads the
	// current object if the trigger needs more by then.
	// +optional
	Omitted string `json:"omitted,omitempty"`
}
