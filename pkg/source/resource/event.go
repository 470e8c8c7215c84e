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

package resource

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/compression"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// keyOf returns the key of an object in events and in the inventory: "namespace/name",
// or the name of a cluster-scoped object.
func keyOf(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

// eventData returns the content of o for events, or nil if o has metadata only. It
// decompresses o and removes its managed fields.
func eventData(o metav1.Object) map[string]any {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return nil
	}
	metadata, _ := u.Object["metadata"].(map[string]any)
	delete(metadata, "managedFields")
	compression.Expand(u.Object)
	return u.Object
}

// newEvent returns an event of the given type for an object of a cluster, and the field
// manager of the last write. It decompresses o and removes its managed fields.
func newEvent(kind, cluster string, o *unstructured.Unstructured, now time.Time) (ev event.Event, writer string) {
	ev = event.Event{
		Source:  Type,
		Type:    kind,
		ID:      event.RevisionID(cluster, string(o.GetUID()), o.GetResourceVersion()),
		Cluster: cluster,
		Key:     keyOf(o.GetNamespace(), o.GetName()),
		Time:    now,
	}
	metadata, _ := o.Object["metadata"].(map[string]any)
	if kind == event.Delete {
		ev.ID += "/delete"
	} else {
		writer = lastWriter(metadata["managedFields"])
	}
	ev.Data = eventData(o)
	return ev, writer
}

// newVanishedEvent returns the delete event of an object whose last state is unknown.
// v is its last known version. The data has only its kind, name, namespace and UID.
func newVanishedEvent(kind schema.GroupVersionKind, cluster, key, uid string, v version, now time.Time) event.Event {
	metadata := map[string]any{"name": key, "uid": uid}
	if namespace, name, ok := strings.Cut(key, "/"); ok {
		metadata["namespace"], metadata["name"] = namespace, name
	}
	apiVersion, kindName := kind.ToAPIVersionAndKind()
	return event.Event{
		Source:  Type,
		Type:    event.Delete,
		ID:      event.RevisionID(cluster, uid, v.String()) + "/delete",
		Cluster: cluster,
		Key:     key,
		Data:    map[string]any{"apiVersion": apiVersion, "kind": kindName, "metadata": metadata},
		Time:    now,
	}
}

// lastWriter returns the field manager of the newest entry in managedFields. It returns
// "" if several managers have entries of the same second.
func lastWriter(managedFields any) string {
	entries, _ := managedFields.([]any)
	var newest, writer string
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		updated, _ := entry["time"].(string) // RFC 3339 in UTC: sorts as text
		manager, _ := entry["manager"].(string)
		switch {
		case updated > newest:
			newest, writer = updated, manager
		case updated == newest && manager != writer:
			writer = ""
		}
	}
	return writer
}
