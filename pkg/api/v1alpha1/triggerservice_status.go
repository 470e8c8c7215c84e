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
	// ConditionReady is true if all triggers run.
	ConditionReady = "Ready"
	// ConditionValidated is true if the spec is valid.
	ConditionValidated = "Validated"
	// ConditionWorkerAvailable is true if the worker has an available pod.
	ConditionWorkerAvailable = "WorkerAvailable"
)

// ReasonLockdown is a reason of all conditions: the platform team does not allow what the
// message names, and the worker is stopped.
const ReasonLockdown = "Lockdown"

// Reasons of the condition Validated.
const (
	ReasonValid = "Valid"
	// ReasonInvalidTriggers: a trigger is invalid. The message has every problem with
	// its place.
	ReasonInvalidTriggers = "InvalidTriggers"
	// ReasonInvalidAction: the Definition of an action is invalid. Triggers that use
	// it keep the last valid version.
	ReasonInvalidAction = "InvalidAction"
	// ReasonInvalidWorker: the worker template does not exist, or rejects the
	// properties.
	ReasonInvalidWorker = "InvalidWorker"
)

// Reasons of the condition WorkerAvailable, besides ReasonInvalidWorker.
const (
	ReasonAvailable = "Available"
	// ReasonStarting: the worker's Deployment has no available pod yet.
	ReasonStarting = "Starting"
	// ReasonNameConflict: an object that the worker needs exists and has another
	// owner.
	ReasonNameConflict = "NameConflict"
	// ReasonWriteDenied: the API server denied a write of the controller, such as by an
	// admission policy. The controller retries it.
	ReasonWriteDenied = "WriteDenied"
	// ReasonWorkerCrashed: the worker of the namespace has ended twice for an unknown reason
	// while the triggers were active, and no worker runs them any more.
	ReasonWorkerCrashed = "WorkerCrashed"
	// ReasonDeploymentFailed: the worker's Deployment cannot create pods.
	ReasonDeploymentFailed = "DeploymentFailed"
)

// Reasons of the condition Ready, besides those of the others.
const (
	ReasonRunning = "Running"
	// ReasonSuspended: the TriggerService is suspended.
	ReasonSuspended = "Suspended"
	// ReasonTriggersNotRunning: the triggers in the message do not run.
	ReasonTriggersNotRunning = "TriggersNotRunning"
)

// TriggerServiceStatus is the observed state of a TriggerService. The controller
// writes observedGeneration, conditions and rejectedTriggers; the worker writes the
// other fields.
type TriggerServiceStatus struct {
	// ObservedGeneration is the generation of the conditions.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions are Ready, Validated and WorkerAvailable.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// RejectedTriggers are the names of triggers whose check exceeded its limit of
	// memory or time. The worker does not run them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=200
	// +kubebuilder:validation:items:MaxLength=320
	RejectedTriggers []string `json:"rejectedTriggers,omitempty"`

	// WorkerGeneration is the generation that the worker runs.
	// +optional
	WorkerGeneration int64 `json:"workerGeneration,omitempty"`
	// WorkerMessage is the reason why the worker ignores the accepted version: for example,
	// the controller has not signed it. The version before continues to run. Empty if the
	// worker runs the accepted version.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	WorkerMessage string `json:"workerMessage,omitempty"`
	// SuspectedGeneration is the generation whose triggers were active when the worker of
	// the namespace ended twice for an unknown reason. Until the spec changes, the
	// TriggerService runs in a dedicated worker, or is stopped if three others of the
	// namespace already run in dedicated workers for this reason.
	// +optional
	SuspectedGeneration int64 `json:"suspectedGeneration,omitempty"`
	// ReadyTriggers is the number of triggers that run or are suspended, and the number of
	// all triggers, such as "19/20".
	// +optional
	// +kubebuilder:validation:MaxLength=32
	ReadyTriggers string `json:"readyTriggers,omitempty"`
	// ConfigObjects is the number of ConfigMaps and Secrets that triggers with the source
	// config watch. It is not set if there is no such trigger.
	// +optional
	ConfigObjects *int64 `json:"configObjects,omitempty"`
	// Succeeded is the number of actions of all triggers that succeeded.
	// +optional
	Succeeded int64 `json:"succeeded,omitempty"`
	// DeadLetters is the number of events of all triggers that have become dead letters,
	// including dead letters that were replayed or deleted later.
	// +optional
	DeadLetters int64 `json:"deadLetters,omitempty"`
	// StoredDeadLetters is the number of dead letters that are stored: neither replayed nor
	// deleted.
	// +optional
	StoredDeadLetters int64 `json:"storedDeadLetters,omitempty"`
	// LastActionTime is the time of the last action that succeeded.
	// +optional
	LastActionTime *metav1.Time `json:"lastActionTime,omitempty"`
	// Triggers are the states of the triggers, in the order of the spec.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=200
	Triggers []TriggerStatus `json:"triggers,omitempty"`
}

// TriggerState is the state of a trigger.
// +kubebuilder:validation:Enum=Running;Waiting;Paused;Invalid;Suspended;Quarantined
type TriggerState string

// States of a trigger.
const (
	TriggerRunning TriggerState = "Running"
	// TriggerWaiting: the source failed and is retried.
	TriggerWaiting TriggerState = "Waiting"
	// TriggerPaused: the trigger handles single events, at growing intervals.
	TriggerPaused TriggerState = "Paused"
	// TriggerInvalid: the trigger cannot run until the trigger or its action is
	// changed.
	TriggerInvalid TriggerState = "Invalid"
	// TriggerSuspended: the trigger handles no events.
	TriggerSuspended TriggerState = "Suspended"
	// TriggerQuarantined: an evaluation or action of the trigger does not end, or has
	// crashed the worker.
	TriggerQuarantined TriggerState = "Quarantined"
)

// Reasons of a trigger's state.
const (
	// TriggerReasonKindNotFound: the watched kind is not installed.
	TriggerReasonKindNotFound = "KindNotFound"
	// TriggerReasonStarting: the source is starting.
	TriggerReasonStarting = "Starting"
	// TriggerReasonForbidden: the ServiceAccount lacks a right; the message names it.
	TriggerReasonForbidden = "Forbidden"
	// TriggerReasonWorkerCrashed: the worker of the namespace has ended twice for an unknown
	// reason while the triggers of the TriggerService were active.
	TriggerReasonWorkerCrashed = "WorkerCrashed"
	// TriggerReasonAccountNotFound: the ServiceAccount does not exist.
	TriggerReasonAccountNotFound = "AccountNotFound"
	// TriggerReasonSourceFailed: the source failed for another reason.
	TriggerReasonSourceFailed = "SourceFailed"
	// TriggerReasonInvalid: the trigger is invalid. The message has every problem with
	// its place.
	TriggerReasonInvalid = "InvalidTrigger"
	// TriggerReasonRejected: the check of its CUE exceeded the limit of memory or time.
	TriggerReasonRejected = "Rejected"
	// TriggerReasonHung: a filter or action does not end.
	TriggerReasonHung = "Hung"
	// TriggerReasonCrashed: an evaluation of a filter, action or view has crashed two
	// workers.
	TriggerReasonCrashed = "Crashed"
	// TriggerReasonClusterUnreachable: some of the watched clusters are unreachable.
	// Events of the others are handled.
	TriggerReasonClusterUnreachable = "ClusterUnreachable"
	// TriggerReasonLoopBroken: triggers keep causing events of an object. Those
	// events become dead letters.
	TriggerReasonLoopBroken = "LoopBroken"
	// TriggerReasonLoopSuspected: the trigger's events seem to be caused by its own
	// actions. They wait until they are not.
	TriggerReasonLoopSuspected = "LoopSuspected"
)

// TriggerStatus is the observed state of one trigger. Counts continue when the
// worker or the trigger changes. After a crash they may lack the last seconds.
type TriggerStatus struct {
	// Name of the trigger, including a default name.
	// +kubebuilder:validation:MaxLength=320
	Name string `json:"name"`
	// State is Running, Waiting, Paused, Invalid, Suspended or Quarantined.
	State TriggerState `json:"state"`
	// Reason is the reason of the state in CamelCase. Usually empty while the trigger runs.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason,omitempty"`
	// Message explains the reason.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Message string `json:"message,omitempty"`
	// Matched is the number of events that matched the filter.
	// +optional
	Matched int64 `json:"matched,omitempty"`
	// Filtered is the number of events that did not match the filter.
	// +optional
	Filtered int64 `json:"filtered,omitempty"`
	// Succeeded is the number of actions that succeeded.
	// +optional
	Succeeded int64 `json:"succeeded,omitempty"`
	// Unchanged is the number of actions that succeeded and changed nothing, because
	// everything was already as the action would have made it.
	// +optional
	Unchanged int64 `json:"unchanged,omitempty"`
	// Failed is the number of failed attempts of actions, including retried ones.
	// +optional
	Failed int64 `json:"failed,omitempty"`
	// DeadLetters is the number of events that became dead letters.
	// +optional
	DeadLetters int64 `json:"deadLetters,omitempty"`
	// LastEventTime is the time of the last decision about an event.
	// +optional
	LastEventTime *metav1.Time `json:"lastEventTime,omitempty"`
	// LastActionTime is the time of the last action that succeeded.
	// +optional
	LastActionTime *metav1.Time `json:"lastActionTime,omitempty"`
	// LastError is the error of the last failed attempt.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	LastError string `json:"lastError,omitempty"`
	// LastErrorTime is the time of LastError.
	// +optional
	LastErrorTime *metav1.Time `json:"lastErrorTime,omitempty"`
	// RejectedRequests is the number of requests that the trigger's webhook rejected. It
	// is updated at most once a minute.
	// +optional
	RejectedRequests int64 `json:"rejectedRequests,omitempty"`
	// LastRejection describes what was wrong with the last rejected request.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	LastRejection string `json:"lastRejection,omitempty"`
	// LastRejectionTime is the time of LastRejection.
	// +optional
	LastRejectionTime *metav1.Time `json:"lastRejectionTime,omitempty"`
}
