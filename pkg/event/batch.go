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

package event

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// MaxBatch is the maximum number of objects that a Batch lists.
const MaxBatch = 100

// BatchFields returns the field names of the batch in `context`, for actions.
func BatchFields() []string { return []string{"batch", "batchMore"} }

// BatchSchema is the CUE of the fields of the batch in `context`.
const BatchSchema = "batch?: [...{...}]\n\tbatchMore?: int"

// Batch lists the objects whose events one event stands for. It belongs to the trigger
// that handles the event.
type Batch struct {
	// Items are the objects in the order of their first events, at most MaxBatch.
	Items []BatchItem `json:"items"`
	// More is the number of events of other objects, which Items does not list.
	More int64 `json:"more,omitempty"`
}

// BatchItem is the last event of one object. Fields that an event without an object
// lacks are empty.
type BatchItem struct {
	// Type, ID, Cluster and Key are those of the event. The type of a creation with its
	// updates is Create.
	Type    string `json:"type"`
	ID      string `json:"id"`
	Cluster string `json:"cluster,omitempty"`
	Key     string `json:"key"`
	// The others are those of the object.
	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind,omitempty"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name,omitempty"`
	UID        string `json:"uid,omitempty"`
}

// NewBatch returns the batch of one event.
func NewBatch(e Event) *Batch {
	b := &Batch{}
	b.Add(e)
	return b
}

// Add adds an event, which takes the place of an earlier one of the same object.
func (b *Batch) Add(e Event) {
	if e.Batch != nil {
		b.addAll(e.Batch)
		return
	}
	text := func(path ...string) string {
		s, _, _ := unstructured.NestedString(e.Data, path...)
		return s
	}
	b.add(BatchItem{
		Type: e.Type, ID: e.ID, Cluster: e.Cluster, Key: e.Key,
		APIVersion: text("apiVersion"), Kind: text("kind"),
		Namespace: text("metadata", "namespace"), Name: text("metadata", "name"), UID: text("metadata", "uid"),
	})
}

func (b *Batch) addAll(other *Batch) {
	for _, item := range other.Items {
		b.add(item)
	}
	b.More += other.More
}

func (b *Batch) add(item BatchItem) {
	for i, earlier := range b.Items {
		if earlier.Key == item.Key && earlier.Cluster == item.Cluster {
			if item.Type == Update && (earlier.Type == Create || earlier.Type == Sync) {
				item.Type = earlier.Type
			}
			b.Items[i] = item
			return
		}
	}
	if len(b.Items) >= MaxBatch {
		b.More++
		return
	}
	b.Items = append(b.Items, item)
}

// list returns the items as decoded JSON.
func (b *Batch) list() []any {
	items := make([]any, len(b.Items))
	for i, item := range b.Items {
		m := map[string]any{"type": item.Type, "id": item.ID, "cluster": item.Cluster, "key": item.Key}
		for name, value := range map[string]string{
			"apiVersion": item.APIVersion, "kind": item.Kind, "namespace": item.Namespace, "name": item.Name, "uid": item.UID,
		} {
			if value != "" {
				m[name] = value
			}
		}
		items[i] = m
	}
	return items
}
