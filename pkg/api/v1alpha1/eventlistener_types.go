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

// EventListenerKind is the kind of an EventListener.
const EventListenerKind = "EventListener"

// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=el,categories=oam
// +kubebuilder:printcolumn:name="Last",type=date,JSONPath=`.events[-1:].timestamp`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`

// EventListener is a list of events that an action records for other programs.
type EventListener struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Events are in the order of recording.
	// +optional
	// +nullable
	Events []ListenedEvent `json:"events,omitempty"`
}

// +kubebuilder:object:root=true

// EventListenerList is a list of EventListeners.
type EventListenerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []EventListener `json:"items"`
}

// ListenedEvent is a recorded event.
type ListenedEvent struct {
	// Resource is the object of the event. Its fields are empty if the event has none.
	Resource EventResource `json:"resource"`
	// Timestamp is the time of the event.
	Timestamp metav1.Time `json:"timestamp"`
	// ID identifies the event. It is the same if the event is handled again.
	// +optional
	ID string `json:"id,omitempty"`
	// Type is the type of the event, such as "update".
	// +optional
	Type string `json:"type,omitempty"`
	// Data is additional data from the action.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Data *runtime.RawExtension `json:"data,omitempty"`
}

// EventResource identifies an object.
type EventResource struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Namespace  string `json:"namespace"`
}
