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

// Package loopguard tracks the writes of triggers' actions to the API server, so
// that a trigger does not wake itself, and loops of several triggers are
// detected.
//
//   - An event is a trigger's own only if that is certain: the API server
//     answered a write of the trigger with the revision of the event, and the
//     write is known to have made that revision. A write without a change is
//     answered with a revision that another client made.
//   - An event that is not tracked is not own: after a restart, after a write
//     whose response was lost, and after 10,000 other revisions, an own write may
//     wake its trigger once more. An event that another client caused is never
//     own.
//   - Deletions are never own.
//   - An object is the same in each group and version of its kind: a core/v1 Event that
//     an action creates is the events.k8s.io/v1 Event that a trigger watches.
//   - Each revision is stored with its causes: the trigger that wrote it, and the
//     triggers that caused the event it acted on, each with its number of turns. So is
//     each object that an action creates: what happens to it, to the objects that it
//     owns, and the Kubernetes Events about these have its causes. Created objects, HTTP
//     requests and CloudEvents carry them to other processes.
//   - Another client undoes a trigger's writes if the same patch changes the event's
//     object again.
package loopguard

import (
	"context"
	"strings"
	"sync"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/name"
	"github.com/kubevela/kube-trigger/pkg/ring"
)

// maxRevisions is the maximum number of revisions that are tracked, for each
// trigger and in total.
const maxRevisions = 10_000

const (
	// managerPrefix is the prefix of the field managers of triggers.
	managerPrefix = "kube-trigger/"
	// maxFieldManager is the maximum length of a field manager in bytes, set by the
	// API server.
	maxFieldManager = 128
)

// idDigits is the length of the IDs of triggers in event.Causes.
const idDigits = 16

// FieldManager returns the field manager of a trigger's writes to the API server. A
// name that is too long ends in a hash.
func FieldManager(t event.TriggerRef) string {
	manager := managerPrefix + t.String()
	return name.Shorten(manager, maxFieldManager, "-"+name.Hash(manager, 16))
}

// Tracker tracks the writes of all triggers of a process. It is safe for
// concurrent use.
type Tracker struct {
	mu        sync.Mutex
	detectors map[event.TriggerRef]*Detector
	revisions history[string, event.Causes]
	// created holds the causes of the objects that actions have created, and of those
	// that they own, by cluster and UID.
	created history[string, event.Causes]
	// inFlight are the writes without a response, by object.
	inFlight map[object]*inFlight
}

// inFlight counts the writes of one object without a response. done is closed
// after the last response.
type inFlight struct {
	writes int
	done   chan struct{}
}

// NewTracker returns an empty Tracker.
func NewTracker() *Tracker {
	return &Tracker{detectors: map[event.TriggerRef]*Detector{}, inFlight: map[object]*inFlight{}}
}

// Detector returns the detector of a trigger, the same for each call.
func (t *Tracker) Detector(trigger event.TriggerRef) *Detector {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.detectors[trigger] == nil {
		t.detectors[trigger] = &Detector{
			tracker: t, trigger: trigger, id: name.Hash(trigger.String(), idDigits),
			kinds: map[kind]bool{}, revisions: map[object]string{},
		}
	}
	return t.detectors[trigger]
}

// add records the causes of a revision.
func (t *Tracker) add(id string, c event.Causes) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.revisions.add(id, c)
}

// addCreated records the causes of a new object of a cluster. The first ones stay.
func (t *Tracker) addCreated(cluster, uid string, c event.Causes) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id := event.RevisionID(cluster, uid, ""); t.created.all[id] == nil {
		t.created.add(id, c)
	}
}

// causes returns the causes of ev, and whether they are known: those of its revision,
// those that its object or request carries, or those of an object that it is about or
// belongs to.
func (t *Tracker) causes(ev event.Event) (event.Causes, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c, ok := t.revisions.all[ev.ID]; ok {
		return c, true
	}
	if c := ev.Causes(); len(c) > 0 {
		return c, true
	}
	uids := relatedUIDs(ev.Data)
	for _, uid := range uids {
		if c, ok := t.created.all[event.RevisionID(ev.Cluster, uid, "")]; ok {
			if id := event.RevisionID(ev.Cluster, uids[0], ""); t.created.all[id] == nil {
				t.created.add(id, c)
			}
			return c, true
		}
	}
	return nil, false
}

// revisionCauses returns the causes of the write that made the revision of ev, as far as
// they are known. Later revisions of an object carry those of its creation.
func (t *Tracker) revisionCauses(ev event.Event) event.Causes {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c, ok := t.revisions.all[ev.ID]; ok {
		return c
	}
	if ev.Type == event.Create {
		return ev.Causes()
	}
	return nil
}

// relatedUIDs returns the UID of the object in data, of its owners and, for a Kubernetes
// Event, of the objects that it is about.
func relatedUIDs(data map[string]any) []string {
	var uids []string
	add := func(reference any) {
		r, _ := reference.(map[string]any)
		if uid, ok := r["uid"].(string); ok && uid != "" {
			uids = append(uids, uid)
		}
	}
	metadata, _ := data["metadata"].(map[string]any)
	add(metadata)
	owners, _ := metadata["ownerReferences"].([]any)
	for _, o := range owners {
		add(o)
	}
	for _, name := range []string{"involvedObject", "regarding", "related"} {
		add(data[name])
	}
	return uids
}

// begin records a write of target as in flight until end is called.
func (t *Tracker) begin(target object) (end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.inFlight[target]
	if f == nil {
		f = &inFlight{done: make(chan struct{})}
		t.inFlight[target] = f
	}
	f.writes++
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if f.writes--; f.writes == 0 {
			close(f.done)
			delete(t.inFlight, target)
		}
	}
}

// wait waits for the responses to the writes of target that are in flight. If ctx
// ends first, it returns ctx's error.
func (t *Tracker) wait(ctx context.Context, target object) error {
	t.mu.Lock()
	pending := []*inFlight{t.inFlight[target], t.inFlight[object{kind: target.kind}]}
	t.mu.Unlock()
	for _, f := range pending {
		if f == nil {
			continue
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

type chainKey struct{}

// chain is what led to a write.
type chain struct {
	causes event.Causes
	// traced is true if an action of any trigger, also of another process, led to the
	// event of the write.
	traced bool
	// event is the ID of the event, target the object that it is about, and uid its UID.
	event  string
	target object
	uid    string
}

// WithCauses returns the context for the trigger's action on ev, whose last writer is the
// given field manager; empty if it is unknown. Writes with that context are recorded as
// caused by the trigger and by the causes of ev.
func (d *Detector) WithCauses(ctx context.Context, ev event.Event, writer string) context.Context {
	causes, known := d.tracker.causes(ev)
	c := chain{causes: causes.With(d.id), traced: known || strings.HasPrefix(writer, managerPrefix), event: ev.ID}
	c.target, c.uid = targetOf(ev)
	return context.WithValue(ctx, chainKey{}, c)
}

// causes returns the causes of a write with ctx.
func (d *Detector) causes(ctx context.Context) event.Causes {
	if c, ok := ctx.Value(chainKey{}).(chain); ok {
		return c.causes
	}
	return event.Causes(nil).With(d.id)
}

// traced reports whether an action of a trigger led to the event of a write with ctx.
func (d *Detector) traced(ctx context.Context) bool {
	c, _ := ctx.Value(chainKey{}).(chain)
	return c.traced
}

// Turns returns how often an action of the trigger led to ev, one after the other,
// directly or through other triggers; 0 if that is not known of any. It must be called
// after OwnWrite.
func (d *Detector) Turns(ev event.Event) int {
	causes, _ := d.tracker.causes(ev)
	return causes.Turns(d.id)
}

// Circular reports whether an action of the trigger wrote the revision of ev, directly or
// through other triggers, as far as that is known. It must be called after OwnWrite.
func (d *Detector) Circular(ev event.Event) bool {
	return d.tracker.revisionCauses(ev).Turns(d.id) > 0
}

// history keeps the values of the last maxRevisions keys.
type history[K comparable, V any] struct {
	all   map[K]V
	order ring.Buffer[K]
}

func (h *history[K, V]) add(key K, v V) {
	if h.all == nil {
		h.all = map[K]V{}
	}
	_, exists := h.all[key]
	h.all[key] = v
	if exists {
		return
	}
	if oldest, removed := h.order.Add(key, maxRevisions); removed {
		delete(h.all, oldest)
	}
}
