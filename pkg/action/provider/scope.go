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

package provider

import (
	"fmt"
	"net/http"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/redact"
)

// Scope is what the calls of one action for one event share: the event's object, the
// values of the Secrets in the event, and whether calls have changed anything. It is safe
// for concurrent use.
//
// Calls that write the event's object, or read it, concern the object with its UID: if
// another object has its name by now, they fail with a GoneError. A deletion event is about
// an object that is gone, so that reads and server-side apply may find or create another.
type Scope struct {
	// id identifies the event and the action; empty if the event has no ID.
	id      string
	object  *eventObject
	secrets *redact.Values

	mu sync.Mutex
	// revisions are the resourceVersions that calls have read or written last.
	revisions map[target]string
	// changes and repeats count the calls that changed something, and those that found
	// everything as it was to become.
	changes, repeats int
	// replaced is set if a call has found another object of the name.
	replaced bool
}

// target identifies an object by its name.
type target struct {
	cluster string
	kind    schema.GroupKind
	key     types.NamespacedName
}

// eventObject is the object of an event.
type eventObject struct {
	target
	uid     types.UID
	deleted bool
}

// NewScope returns the Scope of an event at an action. action identifies the action.
func NewScope(ev event.Event, action string) *Scope {
	s := &Scope{secrets: redact.New(ev.Data, ev.Old), revisions: map[target]string{}}
	if ev.ID != "" {
		s.id = action + " " + ev.ID
	}
	if metadata, _ := ev.Data["metadata"].(map[string]any); str(metadata, "uid") == "" {
		return s
	}
	o := unstructured.Unstructured{Object: ev.Data}
	s.object = &eventObject{
		target: target{ev.Cluster, o.GroupVersionKind().GroupKind(), types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}},
		uid:    o.GetUID(), deleted: ev.Type == event.Delete,
	}
	return s
}

// guards reports whether t is the event's object. A cluster-scoped object may be given a
// namespace, which has no effect.
func (s *Scope) guards(t target) bool {
	o := s.object
	return o != nil && o.cluster == t.cluster && o.kind == t.kind && o.key.Name == t.key.Name &&
		(o.key.Namespace == t.key.Namespace || o.key.Namespace == "")
}

// guardsReads reports whether reads of t must find the event's object.
func (s *Scope) guardsReads(t target) bool { return s.guards(t) && !s.object.deleted }

// revision returns the resourceVersion of t that a call has read or written last, or "".
func (s *Scope) revision(t target) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revisions[t]
}

// observe notes the resourceVersion of an object that was read.
func (s *Scope) observe(t target, revision string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revisions[t] = revision
}

// wrote notes the resourceVersions of an object before and after a write. They are equal
// if the write changed nothing; before is "" if it is unknown.
func (s *Scope) wrote(t target, before, after string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revisions[t] = after
	if before != "" && before == after {
		s.repeats++
	} else {
		s.changes++
	}
}

// acted notes a call whose effect is not that on an object. changed is false if it had
// none.
func (s *Scope) acted(changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if changed {
		s.changes++
	} else {
		s.repeats++
	}
}

// outgoing returns text, which is sent to another server, without the values of the Secrets
// in the event. JSON stays JSON.
func (s *Scope) outgoing(text string) string {
	if s == nil {
		return text
	}
	return s.secrets.Document(text)
}

// foundReplaced notes that the event's object was replaced.
func (s *Scope) foundReplaced() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replaced = true
}

// Reasons why an action changed nothing.
const (
	// ReasonUnchanged: everything was as it was to become.
	ReasonUnchanged = "Unchanged"
	// ReasonObjectReplaced: another object has the name of the event's object.
	ReasonObjectReplaced = "ObjectReplaced"
	// ReasonObjectGone: the event's object does not exist any more.
	ReasonObjectGone = "ObjectGone"
)

// Unchanged returns the reason why the calls changed nothing, or "" if they did, or if that
// is not known. effects is the number of calls that could.
func (s *Scope) Unchanged(effects int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.changes > 0, s.repeats == 0 && effects > 0:
		return ""
	case s.replaced:
		return ReasonObjectReplaced
	}
	return ReasonUnchanged
}

// GoneError means that the object of the event does not exist any more. No time mends it:
// another object of the name has another UID.
type GoneError struct {
	// Kind, Object and UID identify the event's object.
	Kind   string
	Object types.NamespacedName
	UID    types.UID
	// Now is the UID of the object that has the name now; empty if there is none.
	Now types.UID
}

func (e *GoneError) Error() string {
	name := e.Object.String()
	if e.Object.Namespace == "" {
		name = e.Object.Name
	}
	if e.Now == "" {
		return fmt.Sprintf("%s %s with UID %s, the object of the event, does not exist any more", e.Kind, name, e.UID)
	}
	return fmt.Sprintf("%s %s with UID %s, the object of the event, was replaced by another one with UID %s, which is not changed", e.Kind, name, e.UID, e.Now)
}

// Status implements apierrors.APIStatus: the object counts as not found.
func (e *GoneError) Status() metav1.Status {
	return metav1.Status{Status: metav1.StatusFailure, Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound, Message: e.Error()}
}

// Reason returns a word for the decision about the event.
func (e *GoneError) Reason() string {
	if e.Now == "" {
		return ReasonObjectGone
	}
	return ReasonObjectReplaced
}
