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

// Package source is the contract between sources, which emit events, and the
// engine, which handles them.
package source

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/rights"
)

// A Sink receives events.
type Sink interface {
	// Deliver blocks while the engine is full; it never drops an event. It
	// returns an error if ctx or the engine ends before ev is accepted; d.Done is
	// then never called.
	Deliver(ctx context.Context, ev event.Event, d Delivery) error
}

// Delivery is what the engine needs to know about an event besides the event
// itself. It is not visible to filters and actions, and is not stored with the
// event.
type Delivery struct {
	// Triggers are the triggers that existed when the event occurred. Nil means
	// all.
	Triggers []event.TriggerRef
	// Unchanged lists the fields, of those that triggers watch for changes, that
	// are known to be equal before and after. It is set for updates only.
	Unchanged []string
	// Writer is the field manager of the last write, derived from the managed
	// fields. It is empty if two managers wrote within the same second. If the
	// last write only removed fields, it is the manager of the write before.
	Writer string
	// MetadataOnly is set if the event's data has the apiVersion, kind and metadata of an object
	// only, because no trigger of the source needs more.
	MetadataOnly bool
	// Reload returns the data of the event again, for an engine that dropped it while
	// the event waited. latest is true if that is a later state, because the state of
	// the event is no longer known. The error wraps ErrGone if there is no state of the
	// object any more. Reload may be called more than once, from any goroutine. It is
	// nil if the data cannot be read again.
	Reload func(ctx context.Context) (data map[string]any, latest bool, err error)
	// Done is called exactly once, from any goroutine, when every trigger has
	// rejected the event, acted on it, or stored it as a dead letter. It is not
	// called for events that are requeued when the engine stops. It is required.
	Done func()
}

// ErrGone means that the object of an event is gone, and its states are no longer known.
var ErrGone = errors.New("the object is gone, and the API server no longer has its states")

// A Source emits events.
type Source interface {
	// Run delivers events until ctx ends, then returns nil. Any other return
	// is a failure: the engine reports it and calls Run again after a backoff.
	// Run then continues from the last event that it delivered.
	Run(ctx context.Context, sink Sink) error
}

// A Subscription is the compiled source of one trigger.
type Subscription interface {
	// Key is equal for subscriptions that share a source.
	Key() string
	// Skip returns the reason why the trigger ignores ev before its filter is
	// evaluated, or the empty Reason if the filter decides.
	Skip(ev event.Event, d Delivery) Reason
	// Open returns the source that serves all of shared, whose keys are equal.
	Open(shared []Subscription) Source
	// UsesCheckpoint reports whether the source saves its state under name.
	UsesCheckpoint(name string) bool
	// Watch returns the objects that the source lists and watches; nil if it
	// watches none.
	Watch() *Watch
}

// A MetadataSubscription is a Subscription whose source may leave out of events what no trigger
// that shares it needs.
type MetadataSubscription interface {
	Subscription
	// MetadataOnly reports whether the trigger needs the metadata of objects only.
	MetadataOnly() bool
	// Whole returns the subscription of a trigger that needs whole objects.
	Whole() Subscription
}

// A Warner is a Subscription that has warnings.
type Warner interface {
	// Warnings returns what is valid in the properties, and probably not meant. The paths
	// are relative to the properties.
	Warnings() diag.List
}

// An Enumerator is a Subscription to single objects.
type Enumerator interface {
	// Objects returns a text for each object, such as "ConfigMap settings", which is the
	// same in all subscriptions of a namespace.
	Objects() []string
}

// A Ticker is a Subscription whose events are times.
type Ticker interface {
	// Tick returns the event of now.
	Tick(now time.Time) event.Event
}

// Watch identifies the objects that a source lists and watches. The trigger's
// account needs permission to do so.
type Watch struct {
	Kind schema.GroupVersionKind
	// Namespace is empty if all namespaces are watched, and Name if objects of any name are.
	Namespace, Name string
	// Labels is the label selector, in canonical form, and Fields the field selector; empty for
	// all objects. Filtered is set if there are other conditions than Labels and Name, so that
	// not every change of an object is an event.
	Labels, Fields string
	Filtered       bool
	// Types are the types of the events.
	Types []string
	// Clusters are the joined clusters that are watched, by name. OtherClusters is set if all
	// that a selector selects are. OwnCluster is set if the worker's own is.
	Clusters                  []string
	OtherClusters, OwnCluster bool
}

// InJoinedClusters reports whether objects of joined clusters are watched.
func (w Watch) InJoinedClusters() bool { return w.OtherClusters || len(w.Clusters) > 0 }

// An Accessor is a Subscription whose source needs other rights than to list and watch what
// Watch returns.
type Accessor interface {
	// Rights returns these rights. unknown says which cannot be told; empty if there are none.
	Rights() (list []rights.Right, unknown string)
}

// A Factory makes the sources of one type.
type Factory struct {
	// Compile validates the properties of t's source and returns its
	// Subscription. Paths in the diagnostics are relative to the properties.
	Compile func(properties map[string]any, t Spec) (Subscription, diag.List)
	// Properties is the CUE schema of the properties. It begins with a comment that describes the
	// source.
	Properties string
	Capabilities
}

// Capabilities are what sources of one type can do.
type Capabilities struct {
	// OnChange means that update events list the fields that are unchanged, which
	// Spec.OnChange requires.
	OnChange bool
	// Status means that the sources report their state: ready, or an error.
	Status bool
	// Independent means that no action leads to events of these sources.
	Independent bool
	// Objectless means that events have no object: their data has no apiVersion, kind and
	// metadata.
	Objectless bool
	// Kind is the kind of the objects that events are about; empty if the property kind names
	// it, or there are none.
	Kind schema.GroupVersionKind
	// Form is the form of the events.
	Form event.Form
	// EvaluatesCUE means that Compile evaluates CUE from the properties.
	EvaluatesCUE bool
}

// Reason is the reason why a trigger ignores an event.
type Reason string

const (
	// NotSubscribed means that the trigger subscribes to other types of events.
	NotSubscribed Reason = "NotSubscribed"
	// NoChange means that none of the fields in the trigger's onChange changed.
	NoChange Reason = "NoChange"
	// BeforeStart means that the event precedes the trigger's start, or that
	// its sync event was already delivered to the trigger.
	BeforeStart Reason = "BeforeStart"
)

// Spec is the part of a trigger that its source depends on.
type Spec struct {
	event.TriggerRef
	// Application is the one that the trigger's TriggerService is part of; the zero value for
	// none.
	Application event.Application
	// Old are the fields below `context.old` that the trigger refers to.
	Old expr.FieldSet
	// OnChange are the fields of which at least one has to change for an update
	// to be delivered. If it is empty, every update is delivered.
	OnChange []Path
	// MetadataOnly is set if the filter, the group and the actions depend on nothing of an event's
	// data but apiVersion, kind and metadata. The data may then lack the rest of an object.
	MetadataOnly bool
}

// MetadataFields returns the fields of an object that remain where only its metadata is needed.
func MetadataFields() []string { return []string{"apiVersion", "kind", "metadata"} }

// Registry has the factory of each source type.
type Registry map[string]Factory
