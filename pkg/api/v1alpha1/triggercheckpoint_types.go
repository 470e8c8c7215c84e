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

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// TriggerCheckpointKind is the kind of a TriggerCheckpoint.
const TriggerCheckpointKind = "TriggerCheckpoint"

// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=tc,categories=oam
// +kubebuilder:printcolumn:name="Record",type=string,JSONPath=`.metadata.labels.trigger\.oam\.dev/record`
// +kubebuilder:printcolumn:name="Source",type=string,JSONPath=`.spec.name`
// +kubebuilder:printcolumn:name="Cursor",type=string,JSONPath=`.spec.cursor`,priority=1
// +kubebuilder:printcolumn:name="Shards",type=integer,JSONPath=`.spec.shards`,priority=1
// +kubebuilder:printcolumn:name="Dropped",type=integer,JSONPath=`.spec.dropped`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`

// TriggerCheckpoint is a part of what a worker knows after a restart. The label
// trigger.oam.dev/record says which: "checkpoint", the progress of a source;
// "values", further values of a checkpoint; or "dropped", the number of dropped dead
// letters. Only workers write it.
type TriggerCheckpoint struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec TriggerCheckpointSpec `json:"spec"`
}

// +kubebuilder:object:root=true

// TriggerCheckpointList is a list of TriggerCheckpoints.
type TriggerCheckpointList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []TriggerCheckpoint `json:"items"`
}

// TriggerCheckpointSpec is the content of a TriggerCheckpoint.
type TriggerCheckpointSpec struct {
	// Format is the version of the format of the content. Workers reject versions
	// that they do not know.
	Format int `json:"format"`
	// Name of the checkpoint: the source and what it watches.
	// +optional
	Name string `json:"name,omitempty"`
	// Cursor is the position in the source up to which all events are handled, such
	// as a resourceVersion or a time.
	// +optional
	Cursor string `json:"cursor,omitempty"`
	// Shards is the number of TriggerCheckpoints with further values: 0, or a power
	// of 2.
	// +optional
	Shards int32 `json:"shards,omitempty"`
	// Values are what the source remembers, in a binary form: names, UIDs, versions
	// and hashes of objects, and results of views.
	// +optional
	Values []byte `json:"values,omitempty"`
	// Dropped is the number of dead letters that were dropped because of the limits
	// on their number and age.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Dropped *int64 `json:"dropped,omitempty"`
}
