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

import "time"

// View is `context` for a trigger, of which each field is made when it is needed. A View
// serves one goroutine at a time.
type View struct {
	event   Event
	trigger Trigger
	whole   map[string]any
}

// NewView returns the View of an event for the trigger t. Data that is nil is an empty object.
func NewView(e Event, t Trigger) View {
	if e.Data == nil {
		e.Data = map[string]any{}
	}
	return View{event: e, trigger: t}
}

// Field returns a field of `context`, or false if there is none.
func (v *View) Field(name string) (any, bool) {
	switch name {
	case "data":
		return v.event.Data, true
	case "old":
		return v.event.Old, v.event.Old != nil
	case "sourceType":
		return v.event.Source, true
	case "timestamp":
		return v.event.Time.UTC().Format(time.RFC3339), true
	}
	value, ok := v.Whole()[name]
	return value, ok
}

// EventField returns a field of `context.event`, or false if there is none. It costs less than
// Field("event").
func (v *View) EventField(name string) (any, bool) {
	switch name {
	case "type":
		return v.event.Type, true
	case "cluster":
		return v.event.Cluster, true
	case "id":
		return v.event.ID, true
	}
	return nil, false
}

// Whole returns `context`.
func (v *View) Whole() map[string]any {
	if v.whole == nil {
		v.whole = v.event.Context(v.trigger)
	}
	return v.whole
}
