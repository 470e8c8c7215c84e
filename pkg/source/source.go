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

// Package source is the contract between what emits events and the engine
// that handles them.
package source

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// A Sink takes events.
type Sink interface {
	// Deliver blocks while the engine is full: a source is slowed, an event is
	// never dropped. An error means that ev was not taken, because ctx or the
	// engine has ended; done is then never called. Otherwise done is called
	// exactly once, from any goroutine, when every trigger has filtered ev,
	// acted on it, or given it up. Events that the engine returns unhandled
	// when it stops are never done.
	Deliver(ctx context.Context, ev event.Event, done func()) error
}

// A Source emits events.
type Source interface {
	// Run delivers events until ctx ends, then returns nil. Any other return
	// is a failure: the engine reports it and, after a backoff, calls Run
	// again, which goes on where it stopped.
	Run(ctx context.Context, sink Sink) error
}

// A Subscription is what one trigger asks of a source.
type Subscription interface {
	// Key is equal for subscriptions that one source can serve together.
	Key() string
	// Skip returns why the trigger does not take ev at all, whatever its filter
	// says; the empty Reason where it takes ev.
	Skip(ev event.Event) Reason
	// Open returns the source that serves all of shared, whose Keys are equal.
	Open(shared []Subscription) Source
}

// A Comparer is a Subscription to objects: its updates say what changed, and
// Trigger.OnChange has an effect.
type Comparer interface {
	Subscription
	Compares()
}

// A Watcher is a Subscription to objects of the Kubernetes API, which takes the
// right to list and watch them.
type Watcher interface {
	Subscription
	// Watches returns the kind of the objects and the one namespace that they are
	// in, empty for all.
	Watches() (kind schema.GroupVersionKind, namespace string)
}

// Reason says why a trigger does not take an event.
type Reason string

const (
	// NotSubscribed says that the trigger asked for other types of events.
	NotSubscribed Reason = "NotSubscribed"
	// NoChange says that none of the fields that the trigger watches changed.
	NoChange Reason = "NoChange"
	// BeforeStart says that it happened before the trigger existed, or was
	// announced to it before.
	BeforeStart Reason = "BeforeStart"
)

// Spec is what a source needs to know of the trigger that subscribes.
type Spec struct {
	event.TriggerRef
	// Old are the fields that it refers to below `context.old`.
	Old expr.FieldSet
	// OnChange are the fields of which one has to change for an update to
	// count. Where there are none, every update does.
	OnChange []Path
	// BeforeEvaluate, where it is set, is asked before CUE is evaluated that the user wrote
	// in the properties. If it returns problems, that is not to be done, and they
	// are the source's.
	BeforeEvaluate func() diag.List
}

// A Compiler checks the properties that a user wrote for t and makes a
// Subscription of them. Paths in the problems are relative to the properties.
type Compiler func(properties map[string]any, t Spec) (Subscription, diag.List)

// Registry holds the sources that triggers may name, by type.
type Registry map[string]Compiler
