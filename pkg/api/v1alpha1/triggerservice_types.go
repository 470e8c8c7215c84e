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
	"fmt"

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

// TriggerService is a set of triggers: sources of events, filters and actions.
type TriggerService struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec TriggerServiceSpec `json:"spec,omitempty"`
	// Status is the observed state. The controller and the worker write it.
	// +optional
	Status TriggerServiceStatus `json:"status,omitzero"`
}

// TriggerName returns the name of the trigger at index, or its default.
func (ts *TriggerService) TriggerName(index int) string {
	if name := ts.Spec.Triggers[index].Name; name != "" {
		return name
	}
	return fmt.Sprintf("%s-%d", ts.Name, index)
}

// +kubebuilder:object:root=true

// TriggerServiceList is a list of TriggerServices.
type TriggerServiceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []TriggerService `json:"items"`
}

// DefaultServiceAccount is the ServiceAccount of TriggerServices that name none.
const DefaultServiceAccount = "kube-trigger"

// TriggerServiceSpec is the desired state: the triggers, the account that they act as, and the
// worker that runs them.
// +kubebuilder:validation:XValidation:rule="self.triggers.all(t, !has(t.name) || self.triggers.exists_one(u, has(u.name) && u.name == t.name))",message="two triggers have the same name"
type TriggerServiceSpec struct {
	// Triggers run independently of each other: an invalid trigger does not stop
	// a valid one.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=200
	Triggers []Trigger `json:"triggers"`
	// Worker selects the worker that runs the triggers.
	// +optional
	Worker *Worker `json:"worker,omitempty"`
	// ServiceAccountName is the ServiceAccount of the same namespace that the triggers
	// act as. It only needs rights for what the triggers watch and do. Defaults to
	// "kube-trigger". The controller creates that ServiceAccount.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	ServiceAccountName string `json:"serviceAccountName,omitempty"`
	// Suspend stops all triggers. Events that happen meanwhile are not handled later.
	// Defaults to false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// Trigger is a source of events, a filter, and an action.
// +kubebuilder:validation:XValidation:rule="has(self.action) != has(self.actions)",message="exactly one of action and actions must be set"
// +kubebuilder:validation:XValidation:rule="!has(self.group) || has(self.debounce)",message="group requires debounce"
type Trigger struct {
	// Name is unique within the TriggerService. Defaults to the TriggerService's
	// name, "-" and the trigger's index.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`
	// Source emits the events.
	Source Source `json:"source"`
	// Filter is CUE: a boolean expression such as
	// `context.data.status.readyReplicas == context.data.status.replicas`, or
	// constraints such as `context: data: metadata: name: =~"^web-"`. Defaults to a filter
	// that matches every event.
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	Filter string `json:"filter,omitempty"`
	// OnChange lists fields of the object, such as `data`, `spec.template` or
	// `metadata.labels["a/b"]`. Updates that change none of them are ignored.
	// Defaults to all updates.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=1024
	OnChange []string `json:"onChange,omitempty"`
	// Action handles the events that match the filter. Exactly one of `action` and
	// `actions` must be set.
	// +optional
	Action Action `json:"action,omitzero"`
	// Actions run one after the other. Each can use the results of earlier ones.
	// +optional
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	Actions []ActionStep `json:"actions,omitempty"`

	// Timeout limits one attempt of the action, or of all actions. Defaults to 10s.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// Retry configures the retries of a failed action. With several actions, each
	// has its own retries.
	// +optional
	Retry *Retry `json:"retry,omitempty"`
	// Concurrency is the maximum number of objects whose events are handled at the
	// same time. Events of one object are handled one after the other. Defaults
	// to 4.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Concurrency int `json:"concurrency,omitempty"`
	// Debounce is the time for which events of an object are collected after the
	// first one. When it ends, one event with the latest state is handled for all
	// of them. Later events do not extend it. Defaults to 0: each event is handled.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	Debounce *metav1.Duration `json:"debounce,omitempty"`
	// Group collects the events of several objects, as `debounce` collects those of one
	// object: when the time of `debounce` ends, the action runs once for the group. It
	// requires `debounce`.
	// +optional
	Group *Grouping `json:"group,omitempty"`
	// RateLimit limits the runs of the action, retries included. Further runs wait;
	// no event is dropped. Defaults to no limit.
	// +optional
	RateLimit *RateLimit `json:"rateLimit,omitempty"`
	// AllowSelfTrigger handles events that the trigger's own action caused. Defaults to
	// false: such events are suppressed.
	// +optional
	AllowSelfTrigger bool `json:"allowSelfTrigger,omitempty"`
	// Suspend stops the trigger. Events that happen meanwhile are not handled later.
	// Defaults to false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// Source selects the source of events.
type Source struct {
	// Type names the source, such as "resource-watcher".
	// +kubebuilder:validation:MaxLength=253
	Type string `json:"type"`
	// Properties configure the source. The type decides which properties there are.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Properties *runtime.RawExtension `json:"properties,omitempty"`
}

// Action selects an action.
type Action struct {
	// Type names the action, such as "bump-application-revision".
	// +kubebuilder:validation:MaxLength=253
	Type string `json:"type"`
	// Properties configure the action. They are the `parameter` of its template.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Properties *runtime.RawExtension `json:"properties,omitempty"`
	// Cue is CUE that computes properties from `context`, such as
	// `name: context.data.metadata.name`. The result is unified with `properties`. It may
	// import CUE's standard library.
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	Cue string `json:"cue,omitempty"`
	// Timeout limits how long a workflow step waits for its condition. Defaults to 10m.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// ActionStep is one of several actions.
type ActionStep struct {
	// Name makes the result available to later actions as `context.results.NAME`.
	// Without a name it is not available.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$`
	Name string `json:"name,omitempty"`
	// Type names the action, such as "bump-application-revision".
	// +kubebuilder:validation:MaxLength=253
	Type string `json:"type"`
	// Properties configure the action. They are the `parameter` of its template.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Properties *runtime.RawExtension `json:"properties,omitempty"`
	// Cue is CUE that computes properties from `context`, such as
	// `name: context.data.metadata.name`. The result is unified with `properties`. It may
	// import CUE's standard library.
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	Cue string `json:"cue,omitempty"`
	// Timeout limits how long a workflow step waits for its condition. Defaults to 10m.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// OnFailure decides what follows when the action has failed and no retry is left:
	// "stop" stores the event as a dead letter, "continue" runs the next action.
	// Defaults to "stop".
	// +optional
	// +kubebuilder:validation:Enum=stop;continue
	OnFailure string `json:"onFailure,omitempty"`
}

const (
	// OnFailureStop stores the event as a dead letter.
	OnFailureStop = "stop"
	// OnFailureContinue runs the next action.
	OnFailureContinue = "continue"
	// MaxActions is the maximum number of actions of a trigger.
	MaxActions = 20
)

// Retry configures retries.
type Retry struct {
	// Limit is the maximum number of retries. Defaults to 5. 0 disables retries.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Limit *int `json:"limit,omitempty"`
	// Backoff is the wait between attempts, with a jitter of ±20 %.
	// +optional
	Backoff *Backoff `json:"backoff,omitempty"`
}

// Backoff is a wait that grows from Initial to Max by Factor.
type Backoff struct {
	// Initial is the wait before the first retry. Defaults to 2s.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	Initial *metav1.Duration `json:"initial,omitempty"`
	// Max is the maximum wait. Defaults to 1m.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	Max *metav1.Duration `json:"max,omitempty"`
	// Factor multiplies the wait after each retry. Defaults to 2.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Factor int `json:"factor,omitempty"`
}

// Grouping selects the events that one run of the action handles together.
type Grouping struct {
	// By names the group of an event: "object", "namespace" for the objects of a
	// namespace in one cluster, "trigger" for all events of the trigger, or a CUE
	// expression over `context` that is a string, such as
	// `context.data.metadata.labels.release`. An event that lacks a field of the
	// expression is grouped by object. Defaults to "object".
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	By string `json:"by,omitempty"`
}

// Values of Grouping.By that are not CUE.
const (
	GroupByObject    = "object"
	GroupByNamespace = "namespace"
	GroupByTrigger   = "trigger"
)

// RateLimit limits how often an action runs.
type RateLimit struct {
	// Limit is the maximum number of runs that start within any `period`.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	Limit int `json:"limit"`
	// Period is the length of time of `limit`, such as 1m.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	Period metav1.Duration `json:"period"`
}

// Worker selects the worker that runs the triggers.
type Worker struct {
	// Template names a worker template: "namespace" for the worker of the namespace, which
	// runs all TriggerServices with this template there, "dedicated" for a worker of its
	// own, or the name of another Definition of type "trigger-worker" in the controller's
	// namespace or in vela-system. Defaults to "dedicated" if `properties` is set, otherwise
	// the controller's default worker template. "default" means the same as no template.
	// In the namespaces of Kubernetes, KubeVela and the controller, "namespace" means
	// "dedicated".
	// +optional
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Template string `json:"template,omitempty"`
	// Properties are the parameters of the worker template. The template "namespace" has
	// none.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Properties *runtime.RawExtension `json:"properties,omitempty"`
}
