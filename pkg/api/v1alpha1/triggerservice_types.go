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

// TriggerServiceKind is the kind of a TriggerService.
const TriggerServiceKind = "TriggerService"

// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ts,categories=oam
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Triggers",type=string,JSONPath=`.status.readyTriggers`
// +kubebuilder:printcolumn:name="Succeeded",type=integer,JSONPath=`.status.succeeded`
// +kubebuilder:printcolumn:name="Dead letters",type=integer,JSONPath=`.status.deadLetters`
// +kubebuilder:printcolumn:name="Last action",type=date,JSONPath=`.status.lastActionTime`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`

// TriggerService says what to do when something happens.
type TriggerService struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec TriggerServiceSpec `json:"spec,omitempty"`
	// Status is what became of it. The controller and the worker write it.
	// +optional
	Status TriggerServiceStatus `json:"status,omitzero"`
}

// +kubebuilder:object:root=true

// TriggerServiceList is a list of TriggerServices.
type TriggerServiceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []TriggerService `json:"items"`
}

// TriggerServiceSpec is what a user wants.
// +kubebuilder:validation:XValidation:rule="self.triggers.all(t, !has(t.name) || self.triggers.exists_one(u, has(u.name) && u.name == t.name))",message="two triggers have the same name"
type TriggerServiceSpec struct {
	// Triggers run independently of each other: a bad one never stops a good
	// one.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=200
	Triggers []Trigger `json:"triggers"`
	// Worker says what runs the triggers in the cluster.
	// +optional
	Worker *Worker `json:"worker,omitempty"`
	// ServiceAccountName is the identity that the triggers act with, a
	// ServiceAccount of the same namespace.
	// Default: "kube-trigger", which the controller makes.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	ServiceAccountName string `json:"serviceAccountName,omitempty"`
	// Suspend stops all triggers from taking events.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// Trigger is a source of events, a filter, and an action.
// +kubebuilder:validation:XValidation:rule="has(self.action) != has(self.actions)",message="exactly one of action and actions has to be given"
type Trigger struct {
	// Name is unique within the TriggerService. Default: the TriggerService's
	// name, "-" and the trigger's index.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`
	// Source emits the events.
	Source Source `json:"source"`
	// Filter is CUE: a boolean expression such as
	// `context.data.status.readyReplicas == context.data.status.replicas`, or
	// constraints such as `context: data: metadata: name: =~"^web-"`. Default:
	// every event matches.
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	Filter string `json:"filter,omitempty"`
	// OnChange are fields of the object, such as `data`, `spec.template` or
	// `metadata.labels["a/b"]`: an update counts only if one of them has
	// changed. Default: every update counts.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=1024
	OnChange []string `json:"onChange,omitempty"`
	// Action is what to do. Either it or Actions has to be given.
	// +optional
	Action Action `json:"action,omitzero"`
	// Actions are what to do, one after the other. Each sees the results of those
	// before it.
	// +optional
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	Actions []ActionStep `json:"actions,omitempty"`

	// Timeout ends an attempt at the action, or at all of several. Default: 10s.
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// Retry says how an action that failed is tried again. Of several actions each
	// has as many tries.
	// +optional
	Retry *Retry `json:"retry,omitempty"`
	// Concurrency is how many objects the trigger acts on at the same time.
	// Events of one object are always handled one after the other. Default: 4.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Concurrency int `json:"concurrency,omitempty"`
	// Debounce is how long after an event of an object more are awaited. One
	// event stands for all of them, with the latest state; it is handled when
	// that time is over, which later events do not extend. Default: each event
	// is handled.
	// +optional
	Debounce *metav1.Duration `json:"debounce,omitempty"`
	// RateLimit bounds how often the action runs, retries included. What is
	// beyond it waits; nothing is dropped. Default: no limit.
	// +optional
	RateLimit *RateLimit `json:"rateLimit,omitempty"`
	// AllowSelfTrigger handles events that the trigger's own action caused.
	// Default: they are left out.
	// +optional
	AllowSelfTrigger bool `json:"allowSelfTrigger,omitempty"`
	// Suspend stops the trigger from taking events.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// Source is what emits events.
type Source struct {
	// Type names the source, such as "resource-watcher".
	// +kubebuilder:validation:MaxLength=253
	Type string `json:"type"`
	// Properties are the source's own.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Properties *runtime.RawExtension `json:"properties,omitempty"`
}

// Action is what to do with an event.
type Action struct {
	// Type names the action, such as "bump-application-revision".
	// +kubebuilder:validation:MaxLength=253
	Type string `json:"type"`
	// Properties are the `parameter` of the action's template.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Properties *runtime.RawExtension `json:"properties,omitempty"`
}

// ActionStep is one of several actions.
type ActionStep struct {
	// Name is what later actions see its result under: `context.results.NAME`.
	// Default: none, and they do not.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$`
	Name string `json:"name,omitempty"`
	// Type names the action, such as "bump-application-revision".
	// +kubebuilder:validation:MaxLength=253
	Type string `json:"type"`
	// Properties are the `parameter` of the action's template.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Properties *runtime.RawExtension `json:"properties,omitempty"`
	// OnFailure says what follows when it has failed for good: "stop" gives up the
	// event, "continue" goes on with the next action. Default: stop.
	// +optional
	// +kubebuilder:validation:Enum=stop;continue
	OnFailure string `json:"onFailure,omitempty"`
}

const (
	// OnFailureStop gives up the event.
	OnFailureStop = "stop"
	// OnFailureContinue goes on with the next action.
	OnFailureContinue = "continue"
	// MaxActions is how many actions a trigger may have.
	MaxActions = 20
)

// Retry says how an action that failed is tried again.
type Retry struct {
	// Limit is how often. Default: 5; 0 means never.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Limit *int `json:"limit,omitempty"`
	// Backoff is how long to wait in between, give or take 20 %.
	// +optional
	Backoff *Backoff `json:"backoff,omitempty"`
}

// Backoff grows from Initial to Max by Factor.
type Backoff struct {
	// Initial is the wait before the first retry. Default: 2s.
	// +optional
	Initial *metav1.Duration `json:"initial,omitempty"`
	// Max is the longest wait. Default: 1m.
	// +optional
	Max *metav1.Duration `json:"max,omitempty"`
	// Factor multiplies the wait after each retry. Default: 2.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Factor int `json:"factor,omitempty"`
}

// RateLimit is how often an action may run.
type RateLimit struct {
	// Limit is the number of runs that may begin within any Period.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	Limit int `json:"limit"`
	// Period is the time that Limit is for, such as 1m.
	Period metav1.Duration `json:"period"`
}

// Worker says what runs the triggers.
type Worker struct {
	// Template names a worker template: a Definition of type "trigger-worker" in
	// the controller's namespace or in vela-system. Default: "default".
	// +optional
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Template string `json:"template,omitempty"`
	// Properties are the template's own.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Properties *runtime.RawExtension `json:"properties,omitempty"`
}
