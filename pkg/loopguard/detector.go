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

package loopguard

import (
	"context"
	"sync"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// Detector detects the events that one trigger caused. It is safe for concurrent
// use.
type Detector struct {
	tracker *Tracker
	trigger event.TriggerRef
	// id identifies the trigger in event.Causes.
	id string

	mu sync.Mutex
	// kinds are the kinds of the trigger's events. Only writes to these may wake
	// it.
	kinds map[kind]bool
	// revisions are the newest resourceVersions of objects that the detector has
	// seen.
	revisions map[object]string
	// ownRevisions are the IDs of the events that the trigger's writes cause.
	ownRevisions history[string, struct{}]
	// lastWrites are the last writes to the objects of the trigger's events.
	lastWrites history[object, lastWrite]
	// reach is what the trigger's actions may lead to.
	reach reach
}

// kind is a kind of object in one cluster, in any group and version of its API: one
// object may be served in several, as Events and Ingresses are. Different kinds of one
// name only cost a wait, or a request.
type kind struct{ cluster, name string }

// object identifies an object. The key is empty if the API server generates its
// name.
type object struct {
	kind
	key string
}

// OwnWrite reports whether the trigger's own action caused ev. It waits for the
// responses to running writes of the same object by any trigger; if ctx ends
// first, it returns ctx's error.
func (d *Detector) OwnWrite(ctx context.Context, ev event.Event) (bool, error) {
	target, revision := eventObject(ev)
	if target.name == "" || ev.Type == event.Delete {
		return false, nil
	}
	d.mu.Lock()
	d.kinds[target.kind] = true
	d.observe(target, revision)
	d.mu.Unlock()
	if err := d.tracker.wait(ctx, target); err != nil {
		return false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, own := d.ownRevisions.all[ev.ID]
	return own, nil
}

// observe keeps revision if it is the newest of target. The comparison is a
// heuristic; a wrong result costs one request. The lock is held.
func (d *Detector) observe(target object, revision string) {
	if known := d.revisions[target]; len(known) > len(revision) || len(known) == len(revision) && known > revision {
		return
	}
	if len(d.revisions) >= maxRevisions {
		clear(d.revisions)
	}
	d.revisions[target] = revision
}

// eventObject returns the object of ev and its revision. They are zero if ev is
// not about an object of the API server.
func eventObject(ev event.Event) (object, string) {
	name, _ := ev.Data["kind"].(string)
	metadata, _ := ev.Data["metadata"].(map[string]any)
	revision, _ := metadata["resourceVersion"].(string)
	if revision == "" {
		return object{}, ""
	}
	return object{kind{ev.Cluster, name}, ev.Key}, revision
}

// recordWrite records that a write of the trigger made a revision of target.
func (d *Detector) recordWrite(target object, id, revision string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ownRevisions.add(id, struct{}{})
	d.observe(target, revision)
}
