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

// Types of conditions of a TriggerService.
const (
	// ConditionReady says whether all of it works.
	ConditionReady = "Ready"
	// ConditionValidated says whether what the user wrote makes sense.
	ConditionValidated = "Validated"
	// ConditionWorkerAvailable says whether there is a worker that runs it.
	ConditionWorkerAvailable = "WorkerAvailable"
)

// Reasons of the condition Validated.
const (
	ReasonValid = "Valid"
	// ReasonInvalidTriggers: the message says what is wrong, and where.
	ReasonInvalidTriggers = "InvalidTriggers"
	// ReasonInvalidAction: the Definition of an action is broken. Triggers that
	// use it go on with the last good one.
	ReasonInvalidAction = "InvalidAction"
	// ReasonInvalidWorker: the worker template does not exist, or does not take
	// these properties.
	ReasonInvalidWorker = "InvalidWorker"
)

// Reasons of the condition WorkerAvailable, besides ReasonInvalidWorker.
const (
	ReasonAvailable = "Available"
	// ReasonStarting: the worker's Deployment has no available pod yet.
	ReasonStarting = "Starting"
	// ReasonNameConflict: an object that the worker needs is there, and somebody
	// else's.
	ReasonNameConflict = "NameConflict"
	// ReasonDeploymentFailed: the worker's Deployment says that it cannot make
	// pods.
	ReasonDeploymentFailed = "DeploymentFailed"
)

// Reasons of the condition Ready, besides those of the others.
const (
	ReasonRunning = "Running"
	// ReasonSuspended: the user has suspended all of it.
	ReasonSuspended = "Suspended"
	// ReasonTriggersNotRunning: some triggers do not run; the message names them.
	ReasonTriggersNotRunning = "TriggersNotRunning"
)

// TriggerServiceStatus is what became of a TriggerService. The controller
// writes the observed generation, the conditions and what is refused; the worker
// writes all else.
type TriggerServiceStatus struct {
	// ObservedGeneration is the generation that the conditions are about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions are Ready, Validated and WorkerAvailable.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// RejectedTriggers are the names of triggers whose CUE takes too much memory or time
	// to be looked at. The worker leaves them out.
	// +optional
	// +listType=set
	RejectedTriggers []string `json:"rejectedTriggers,omitempty"`

	// WorkerGeneration is the generation that the worker runs.
	// +optional
	WorkerGeneration int64 `json:"workerGeneration,omitempty"`
	// ReadyTriggers is how many of the triggers run or are suspended: "19/20".
	// +optional
	ReadyTriggers string `json:"readyTriggers,omitempty"`
	// Succeeded is how many actions of all triggers succeeded.
	// +optional
	Succeeded int64 `json:"succeeded,omitempty"`
	// DeadLetters is how many events all triggers gave up.
	// +optional
	DeadLetters int64 `json:"deadLetters,omitempty"`
	// LastActionTime is when the last action succeeded.
	// +optional
	LastActionTime *metav1.Time `json:"lastActionTime,omitempty"`
	// Triggers are in the order of the spec.
	// +optional
	// +listType=map
	// +listMapKey=name
	Triggers []TriggerStatus `json:"triggers,omitempty"`
}

// TriggerState is what a trigger does.
// +kubebuilder:validation:Enum=Running;Waiting;Invalid;Suspended;Quarantined
type TriggerState string

// States of a trigger.
const (
	TriggerRunning TriggerState = "Running"
	// TriggerWaiting: the source does not work, and is tried again.
	TriggerWaiting TriggerState = "Waiting"
	// TriggerInvalid: the trigger cannot run until it, or the action that it
	// names, is changed.
	TriggerInvalid TriggerState = "Invalid"
	// TriggerSuspended: events pass it by.
	TriggerSuspended TriggerState = "Suspended"
	// TriggerQuarantined: its CUE or action does not end.
	TriggerQuarantined TriggerState = "Quarantined"
)

// Reasons of a trigger's state.
const (
	// TriggerReasonKindNotFound: the kind that the trigger watches is not
	// registered.
	TriggerReasonKindNotFound = "KindNotFound"
	// TriggerReasonStarting: the source has not said yet that it works.
	TriggerReasonStarting = "Starting"
	// TriggerReasonForbidden: the ServiceAccount lacks a right.
	TriggerReasonForbidden = "Forbidden"
	// TriggerReasonSourceFailed: the source failed otherwise.
	TriggerReasonSourceFailed = "SourceFailed"
	// TriggerReasonInvalid: the message says what is wrong, and where.
	TriggerReasonInvalid = "InvalidTrigger"
	// TriggerReasonRejected: its CUE takes too much memory or time.
	TriggerReasonRejected = "Rejected"
	// TriggerReasonHung: a filter or action does not end.
	TriggerReasonHung = "Hung"
	// TriggerReasonClusterUnreachable: nothing is heard of some of the clusters
	// that the trigger watches. It acts on what happens in the others.
	TriggerReasonClusterUnreachable = "ClusterUnreachable"
	// TriggerReasonLoopBroken: triggers keep causing events of an object; they
	// are not acted on.
	TriggerReasonLoopBroken = "LoopBroken"
)

// TriggerStatus is what one trigger does and has done. Counts go on when the
// worker or the trigger changes; after a crash they may lack the last seconds.
type TriggerStatus struct {
	// Name of the trigger, also where the spec leaves it open.
	Name string `json:"name"`
	// State is Running, Waiting, Invalid, Suspended or Quarantined.
	State TriggerState `json:"state"`
	// Reason says why in one word, where the trigger does not run.
	// +optional
	Reason string `json:"reason,omitempty"`
	// Message says why in a sentence.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Message string `json:"message,omitempty"`
	// Matched is how many events the filter let pass.
	// +optional
	Matched int64 `json:"matched,omitempty"`
	// Filtered is how many events the filter held back.
	// +optional
	Filtered int64 `json:"filtered,omitempty"`
	// Succeeded is how many actions succeeded.
	// +optional
	Succeeded int64 `json:"succeeded,omitempty"`
	// Failed is how many attempts at actions failed, those that were tried again
	// among them.
	// +optional
	Failed int64 `json:"failed,omitempty"`
	// DeadLetters is how many events were given up.
	// +optional
	DeadLetters int64 `json:"deadLetters,omitempty"`
	// LastEventTime is when the trigger last decided about an event.
	// +optional
	LastEventTime *metav1.Time `json:"lastEventTime,omitempty"`
	// LastActionTime is when the last action succeeded.
	// +optional
	LastActionTime *metav1.Time `json:"lastActionTime,omitempty"`
	// LastError is what the last attempt that failed said.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	LastError string `json:"lastError,omitempty"`
	// LastErrorTime is when that was.
	// +optional
	LastErrorTime *metav1.Time `json:"lastErrorTime,omitempty"`
}
