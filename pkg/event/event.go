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

// Package event defines the one type that flows from sources through filters
// to actions. It imports nothing else of this project.
package event

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Types of events that the resource sources emit.
const (
	Create = "create"
	Update = "update"
	Delete = "delete"
	// Sync announces an object that already existed when its source first
	// started. Triggers get it only where they ask for it.
	Sync = "sync"
)

// Event is something that happened. It is immutable once delivered: whoever
// wants to change Data or Old copies them first.
type Event struct {
	// Source is the type of the source that emitted it, "resource-watcher".
	Source string
	// Type is what happened, in the source's own words: "update".
	Type string
	// ID names this happening. It is the same when it is delivered again.
	ID string
	// Cluster is where it happened; empty for the cluster of the worker.
	Cluster string
	// Key names the object it happened to, unique within its source and Cluster.
	// Events of one Lane are handled in order.
	Key string
	// Data is the object, request or tick, as decoded JSON: nil, bool, int64,
	// float64, string, []any and map[string]any.
	Data map[string]any
	// Old is the object before, with the fields that a trigger refers to; nil
	// where no trigger does, or where there was none.
	Old map[string]any
	// Unchanged are, of the fields of Data that triggers watch for changes, those
	// that are known to be as in the object before. Only updates have it.
	Unchanged []string
	// Triggers are the triggers that were there when it happened; nil means all.
	Triggers []TriggerRef
	// Writer is the field manager that wrote the object last, as far as its
	// managed fields tell: empty where two wrote within a second, and the one
	// before where a write only removed fields.
	Writer string
	// Time is when the source saw it.
	Time time.Time
}

// OrderingKey names the object it happened to, unique within its source.
func (e Event) OrderingKey() string {
	if e.Cluster == "" {
		return e.Key
	}
	return e.Cluster + clusterSeparator + e.Key
}

// clusterSeparator is in no name of a cluster or object.
const clusterSeparator = "//"

// RevisionID returns the ID of the event that an object of a cluster, which is
// empty for that of the worker, became as it is at resourceVersion.
func RevisionID(cluster, uid, resourceVersion string) string {
	id := uid + "@" + resourceVersion
	if cluster == "" {
		return id
	}
	return cluster + clusterSeparator + id
}

// TriggerRef names the trigger that handles an event.
type TriggerRef struct {
	Name      string
	Namespace string
}

// String returns "namespace/name", or the name alone where there is no
// namespace.
func (t TriggerRef) String() string {
	if t.Namespace == "" {
		return t.Name
	}
	return t.Namespace + "/" + t.Name
}

// FieldManager returns the name under which the trigger's action writes to the
// API server. Names too long for the API server end in a hash of the whole.
func (t TriggerRef) FieldManager() string {
	name := "kube-trigger/" + t.String()
	if len(name) <= maxFieldManager {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	tail := "-" + hex.EncodeToString(sum[:8])
	return name[:maxFieldManager-len(tail)] + tail
}

// maxFieldManager is the longest name that the API server accepts, in bytes.
const maxFieldManager = 128

// Context returns what CUE sees as `context` when t handles e.
func (e Event) Context(t TriggerRef) map[string]any {
	c := map[string]any{
		"sourceType": e.Source,
		"event":      map[string]any{"type": e.Type, "cluster": e.Cluster, "id": e.ID},
		"data":       e.Data,
		"timestamp":  e.Time.UTC().Format(time.RFC3339),
		"trigger":    map[string]any{"name": t.Name, "namespace": t.Namespace},
	}
	if e.Old != nil {
		c["old"] = e.Old
	}
	return c
}

// ContextFields returns the names of the fields that `context` may have.
func ContextFields() []string {
	return []string{"data", "event", "old", "sourceType", "timestamp", "trigger"}
}

// Schema is the CUE of `context`: what filters and templates are checked
// against before there is any event.
const Schema = `{
	sourceType: string
	event: {type: string, cluster: string, id: string, ...}
	data: {...}
	old?: {...}
	timestamp: string
	trigger: {name: string, namespace: string}
}`
