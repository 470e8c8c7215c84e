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
	"strings"
	"sync"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// Detector is what one trigger has written. It is safe for concurrent use.
type Detector struct {
	tracker *Tracker
	trigger event.TriggerRef
	// self is the chain of what nothing but the trigger led to.
	self causes

	mu sync.Mutex
	// kinds are those of the events that the trigger has had. Only writes to them
	// can wake it.
	kinds map[kind]bool
	// revisions is the newest resourceVersion of objects, as far as it is known here.
	revisions map[object]string
	// ownRevisions are the IDs of the events that the trigger's writes cause.
	ownRevisions ring[struct{}]
}

// kind is one of a cluster, whose version does not matter.
type kind struct{ cluster, group, name string }

// object is one that is written, or that something happened to. Its key is
// empty where the API server makes the name.
type object struct {
	kind
	key string
}

// OwnWrite reports whether the trigger's own action caused ev. It waits for the
// answers to writes of the same object by any trigger; the error is that of ctx,
// if it ends first.
func (t *Detector) OwnWrite(ctx context.Context, ev event.Event) (bool, error) {
	target, revision := eventObject(ev)
	if target.name == "" || ev.Type == event.Delete {
		return false, nil
	}
	t.mu.Lock()
	t.kinds[target.kind] = true
	t.observe(target, revision)
	t.mu.Unlock()
	if err := t.tracker.wait(ctx, target); err != nil {
		return false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	_, own := t.ownRevisions.all[ev.ID]
	return own, nil
}

// observe notes the newest revision of an object. It is a guess which saves a
// request where it is right. The lock is held.
func (t *Detector) observe(target object, revision string) {
	if known := t.revisions[target]; len(known) > len(revision) || len(known) == len(revision) && known > revision {
		return
	}
	if len(t.revisions) >= maxRevisions {
		clear(t.revisions)
	}
	t.revisions[target] = revision
}

// eventObject returns the object that something happened to; the zero object where
// that is none of the API server's.
func eventObject(ev event.Event) (object, string) {
	apiVersion, _ := ev.Data["apiVersion"].(string)
	name, _ := ev.Data["kind"].(string)
	metadata, _ := ev.Data["metadata"].(map[string]any)
	revision, _ := metadata["resourceVersion"].(string)
	if revision == "" {
		return object{}, ""
	}
	group, _, hasGroup := strings.Cut(apiVersion, "/")
	if !hasGroup {
		group = ""
	}
	return object{kind{ev.Cluster, group, name}, ev.Key}, revision
}

// recordWrite notes that a write of the trigger made a revision of an object.
func (t *Detector) recordWrite(target object, id, revision string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ownRevisions.add(id, struct{}{})
	t.observe(target, revision)
}
