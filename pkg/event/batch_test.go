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

package event_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/event"
)

func objectEvent(eventType, id, name string) event.Event {
	return event.Event{Type: eventType, ID: id, Key: "prod/" + name, Data: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"namespace": "prod", "name": name, "uid": "u-" + name},
	}}
}

func TestBatch_Context(t *testing.T) {
	first := objectEvent(event.Create, "1", "a")
	last := objectEvent(event.Update, "4", "b")
	last.Batch = event.NewBatch(first)
	for _, e := range []event.Event{objectEvent(event.Update, "2", "b"), objectEvent(event.Update, "3", "a"), {Type: "request", ID: "r", Key: "r"}} {
		last.Batch.Add(e)
	}
	c := last.Context(event.Trigger{})
	want := []any{
		map[string]any{"type": "create", "id": "3", "cluster": "", "key": "prod/a", "apiVersion": "v1", "kind": "ConfigMap", "namespace": "prod", "name": "a", "uid": "u-a"},
		map[string]any{"type": "update", "id": "2", "cluster": "", "key": "prod/b", "apiVersion": "v1", "kind": "ConfigMap", "namespace": "prod", "name": "b", "uid": "u-b"},
		map[string]any{"type": "request", "id": "r", "cluster": "", "key": "r"},
	}
	if diff := cmp.Diff(want, c["batch"]); diff != "" || c["batchMore"] != int64(0) {
		t.Errorf("batchMore %v; batch (-want +got)\n%s", c["batchMore"], diff)
	}
	if c := first.Context(event.Trigger{}); c["batch"] != nil || c["batchMore"] != nil {
		t.Errorf("an event without a group has a batch: %v", c)
	}
}

func TestBatch_Bounded(t *testing.T) {
	var b event.Batch
	for range 2 {
		for i := range event.MaxBatch + 5 {
			b.Add(objectEvent(event.Update, "1", fmt.Sprint(i)))
		}
	}
	if len(b.Items) != event.MaxBatch || b.More != 10 {
		t.Errorf("%d items and %d more, want %d and 10", len(b.Items), b.More, event.MaxBatch)
	}
}
