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

// Package event defines Event, the one type that flows from sources through
// filters to actions. It imports no other package of this module but datatype.
package event

import (
	"strings"
	"time"
)

// Event types of the resource sources.
const (
	Create = "create"
	Update = "update"
	Delete = "delete"
	// Sync is the type of the events for objects that existed when the source
	// first started. Only triggers that subscribe to it receive them.
	Sync = "sync"
)

// Event is one occurrence that triggers handle. It must not be modified after it
// is delivered; copy Data and Old before changing them.
type Event struct {
	// Source is the type of the source, such as "resource-watcher".
	Source string
	// Type is the type of the event, which each source defines, such as "update".
	Type string
	// ID identifies the event. It is the same if the event is delivered again.
	ID string
	// Cluster is the name of the joined cluster; empty for the worker's own
	// cluster.
	Cluster string
	// Key identifies the object within its source and Cluster. Events with the
	// same OrderingKey are handled in order.
	Key string
	// Data is the object, request or tick as decoded JSON: nil, bool, int64,
	// float64, json.Number for numbers that neither can hold, string, []any and
	// map[string]any.
	Data map[string]any
	// Old is the previous state of the object, reduced to the fields that
	// triggers refer to; nil if no trigger refers to any, or there was none.
	Old map[string]any
	// Batch lists the objects whose events this event stands for; nil unless the trigger
	// groups events.
	Batch *Batch
	// Replay identifies the replay of the event, which was a dead letter; empty for the event
	// of a source. It is the same if the replay is repeated after a restart. It is not stored.
	Replay string
	// Time is when the source received the event.
	Time time.Time
}

// OrderingKey identifies the object within its source, across clusters.
func (e Event) OrderingKey() string {
	if e.Cluster == "" {
		return e.Key
	}
	return e.Cluster + clusterSeparator + e.Key
}

// clusterSeparator occurs in no name of a cluster or object.
const clusterSeparator = "//"

// RevisionID returns the ID of the event for an object's revision. cluster is
// empty for the worker's own cluster.
func RevisionID(cluster, uid, resourceVersion string) string {
	id := uid + "@" + resourceVersion
	if cluster == "" {
		return id
	}
	return cluster + clusterSeparator + id
}

// firedPrefix begins the IDs of events that were fired by hand.
const firedPrefix = "fired:"

// FiredID returns the ID of an event that was fired by hand, by the request id.
func FiredID(id string) string { return firedPrefix + id }

// Fired reports whether the event was fired by hand.
func (e Event) Fired() bool { return strings.HasPrefix(e.ID, firedPrefix) }

// TriggerRef identifies a trigger.
type TriggerRef struct {
	Name      string
	Namespace string
}

// String returns "namespace/name", or the name alone if the namespace is empty.
func (t TriggerRef) String() string {
	if t.Namespace == "" {
		return t.Name
	}
	return t.Namespace + "/" + t.Name
}

// ParseTriggerRef is the inverse of TriggerRef.String.
func ParseTriggerRef(text string) TriggerRef {
	if namespace, name, ok := strings.Cut(text, "/"); ok {
		return TriggerRef{Name: name, Namespace: namespace}
	}
	return TriggerRef{Name: text}
}

// Context returns the value of `context` in CUE for the trigger t.
func (e Event) Context(t Trigger) map[string]any {
	c := map[string]any{
		"sourceType": e.Source,
		"event":      map[string]any{"type": e.Type, "cluster": e.Cluster, "id": e.ID},
		"data":       e.Data,
		"timestamp":  e.Time.UTC().Format(time.RFC3339),
		"trigger":    map[string]any{"name": t.Name, "namespace": t.Namespace},
	}
	t.Application.addTo(c)
	if e.Old != nil {
		c["old"] = e.Old
	}
	if e.Batch != nil {
		c["batch"], c["batchMore"] = e.Batch.list(), e.Batch.More
	}
	return c
}

// ContextFields returns the field names of `context`, without those of a batch.
func ContextFields() []string {
	return []string{"appName", "appNamespace", "cluster", "component", "data", "event", "old", "sourceType", "timestamp", "trigger"}
}

// Fields returns the field names of `context.event`. Its schema is open, so that filters of
// other releases stay valid.
func Fields() []string { return []string{"cluster", "id", "type"} }

// Schema is the CUE schema of `context`, without the batch. Filters and templates are
// checked against it before any event arrives.
const Schema = `{
	sourceType: string
	event: {type: string, cluster: string, id: string, ...}
	data: {...}
	old?: {...}
	timestamp: string
	trigger: {name: string, namespace: string}
	` + applicationSchema + `
}`

// Verdict is the result of a filter.
type Verdict struct {
	Match bool
	// Path is the field that the filter rejected the event for, for example
	// "context.data.status.replicas". It is empty on a match, and where the whole
	// expression is false.
	Path string
	// Reason is why the event was rejected, for example
	// "context.data.status.replicas is absent". It is empty on a match. It never
	// holds a value of the event.
	Reason string
}
