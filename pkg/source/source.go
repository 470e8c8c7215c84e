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
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// A Sink receives events.
type Sink interface {
	// Deliver blocks while the engine is full; it never drops an event. It
	// returns an error if ctx or the engine ends before ev is accepted; done is
	// then never called. Otherwise done is called exactly once, from any
	// goroutine, when every trigger has rejected ev, acted on it, or stored it
	// as a dead letter. It is not called for events that are requeued when the
	// engine stops.
	Deliver(ctx context.Context, ev event.Event, done func()) error
}

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
	Skip(ev event.Event) Reason
	// Open returns the source that serves all of shared, whose keys are equal.
	Open(shared []Subscription) Source
}

// A Comparer is a Subscription to objects. Its update events list the fields
// that are unchanged, which Spec.OnChange requires.
type Comparer interface {
	Subscription
	Compares()
}

// A Watcher is a Subscription to objects of the Kubernetes API. It requires
// permission to list and watch them.
type Watcher interface {
	Subscription
	// Watches returns the kind of the objects and their namespace. The namespace
	// is empty if all namespaces are watched.
	Watches() (kind schema.GroupVersionKind, namespace string)
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
	// Old are the fields below `context.old` that the trigger refers to.
	Old expr.FieldSet
	// OnChange are the fields of which at least one has to change for an update
	// to be delivered. If it is empty, every update is delivered.
	OnChange []Path
	// BeforeEvaluate, if set, is called before CUE from the properties is
	// evaluated. If it returns diagnostics, the compiler returns them instead
	// of evaluating the CUE.
	BeforeEvaluate func() diag.List
}

// A Compiler validates the properties of t's source and returns its
// Subscription. Paths in the diagnostics are relative to the properties.
type Compiler func(properties map[string]any, t Spec) (Subscription, diag.List)

// Registry maps source types to their compilers.
type Registry map[string]Compiler

// Unused returns a function that reports whether name starts with sourceType and
// a colon, and is the Key of none of subscriptions.
func Unused(sourceType string, subscriptions []Subscription) func(name string) bool {
	return func(name string) bool {
		return strings.HasPrefix(name, sourceType+":") &&
			!slices.ContainsFunc(subscriptions, func(s Subscription) bool { return s.Key() == name })
	}
}
