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

import (
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Names under which the causes of an event are carried by what an action makes, so
// that they survive a restart and reach triggers of other processes. The value is that
// of Causes.String.
const (
	// CausesAnnotation is the annotation of objects that actions create.
	CausesAnnotation = "trigger.oam.dev/causes"
	// CausesHeader is the header of HTTP requests that actions send.
	CausesHeader = "Kube-Trigger-Causes"
	// CausesAttribute is the extension attribute of CloudEvents that actions send.
	CausesAttribute = "kubetriggercauses"
)

const (
	// maxCauses is the maximum number of triggers in Causes.
	maxCauses = 32
	// maxTurns is the maximum number of turns that is counted.
	maxTurns = 1_000_000
)

// Causes are the triggers whose actions led to an event, each with its number of turns.
// It is immutable.
type Causes []Cause

// Cause is a trigger whose actions led to an event.
type Cause struct {
	// Trigger is an opaque ID of the trigger.
	Trigger string
	// Turns is how often an action of the trigger is part of the chain, at least 1.
	Turns int
}

// Turns returns the number of turns of a trigger; 0 if it is no cause.
func (c Causes) Turns(trigger string) int {
	for _, cause := range c {
		if cause.Trigger == trigger {
			return cause.Turns
		}
	}
	return 0
}

// With returns c with one more turn of a trigger. Of more than 32 triggers, the one
// with the fewest turns is left out.
func (c Causes) With(trigger string) Causes {
	out := slices.Clone(c)
	if i := slices.IndexFunc(out, func(cause Cause) bool { return cause.Trigger == trigger }); i >= 0 {
		out[i].Turns = min(out[i].Turns+1, maxTurns)
		return out
	}
	if len(out) >= maxCauses {
		fewest := slices.MinFunc(out, func(a, b Cause) int { return a.Turns - b.Turns })
		out = slices.DeleteFunc(out, func(cause Cause) bool { return cause == fewest })
	}
	return append(out, Cause{trigger, 1})
}

// String returns c as "TRIGGER=TURNS,…".
func (c Causes) String() string {
	parts := make([]string, len(c))
	for i, cause := range c {
		parts[i] = cause.Trigger + "=" + strconv.Itoa(cause.Turns)
	}
	return strings.Join(parts, ",")
}

// ParseCauses parses the result of String. Parts that are invalid are left out.
func ParseCauses(text string) Causes {
	var c Causes
	for part := range strings.SplitSeq(text, ",") {
		trigger, count, _ := strings.Cut(strings.TrimSpace(part), "=")
		turns, err := strconv.Atoi(count)
		if trigger == "" || err != nil || turns < 1 || turns > maxTurns || c.Turns(trigger) > 0 {
			continue
		}
		if c = append(c, Cause{trigger, turns}); len(c) == maxCauses {
			break
		}
	}
	return c
}

// Causes returns the causes that the object, request or CloudEvent of e carries; nil if
// it carries none.
func (e Event) Causes() Causes {
	for _, at := range [][]string{
		{"metadata", "annotations", CausesAnnotation},
		{"headers", strings.ToLower(CausesHeader)},
		{"cloudEvent", CausesAttribute},
	} {
		if text, _, _ := unstructured.NestedString(e.Data, at...); text != "" {
			return ParseCauses(text)
		}
	}
	return nil
}
