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
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// MaxState is the longest note that outlives the history of the API server.
const MaxState = store.MaxState - 1

// DerivedSource makes another source of this one: what a change of an object means
// to it. All that this package promises of events holds for what is derived
// from them.
type DerivedSource struct {
	// Type is the name of the other source. Its events have it.
	Type string
	// Parse returns what a trigger with these properties asks, and what is wrong
	// with them. Where that is too much to tell which objects are meant, the Ask
	// has no Properties.
	Parse func(properties map[string]any) (Request, diag.List)
	// State returns what is to be remembered of an object in place of before,
	// which is nil where nothing is. It is not nil, the same for the same
	// object again, and may be saved: it holds nothing that is secret.
	State func(before []byte, object map[string]any) []byte
	// Derive returns the data of the event for a create or an update, given the
	// notes of the object before and now, and false where it means nothing.
	// Before is nil where the object was not there, or nothing is known of it.
	// The object is not to be changed.
	Derive func(before, now []byte, object map[string]any) (map[string]any, bool)
}

// Request is what a trigger wants of a derived source.
type Request struct {
	// Properties say which objects, as those of this source do.
	Properties map[string]any
	// Events are create, update, or both.
	Events []string
	// Filter reports whether the trigger takes an event of Events.
	Filter func(event.Event) bool
}

// NewDerived returns the compiler of the properties of the source that d makes of
// this one.
func NewDerived(o Options, d DerivedSource) source.Compiler {
	compile := newCompiler(o)
	return func(properties map[string]any, t source.Spec) (source.Subscription, diag.List) {
		req, problems := d.Parse(properties)
		if req.Properties == nil {
			return nil, problems
		}
		s, more := compile(req.Properties, t, &d)
		if problems = append(problems, more...); len(problems) > 0 {
			return nil, problems
		}
		s.events, s.filter = req.Events, req.Filter
		return s, nil
	}
}

// derive returns ev as the source's own, given what is kept of its object, and
// whether it is news.
func (w *watcher) derive(ev event.Event, before, now fieldState) (event.Event, bool) {
	if w.derived == nil {
		return ev, true
	}
	if ev.Type == event.Delete {
		return ev, false
	}
	data, relevant := w.derived.Derive(before.state, now.state, ev.Data)
	ev.Source, ev.Data = w.derived.Type, data
	return ev, relevant
}
