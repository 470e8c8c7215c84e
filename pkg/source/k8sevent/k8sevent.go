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

// Package k8sevent is the source "event": it emits an event when a Kubernetes Event of
// events.k8s.io/v1 is created or, optionally, repeated.
//
// It is derived from package resource and shares its guarantees. An Event is repeated
// when its count grows: the count of its series, or the deprecated count of reporters
// that write v1 Events. If the count grows by more than one at once, that is one event.
// Other changes of an Event emit nothing, nor does its deletion, an hour later by
// default.
//
// An event's Data is the Event, with its count as "count".
package k8sevent

import (
	_ "embed"
	"maps"
	"strconv"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

// Type is the source's type in triggers.
const Type = "event"

//go:embed properties.cue
var properties string

// New returns the factory of this source. Compiling needs no cluster.
func New(o resource.Options) source.Factory {
	s := schema.NewLazy(properties)
	return resource.NewDerived(o, resource.DerivedSource{
		Type:       Type,
		Properties: properties,
		Parse:      func(given map[string]any) (resource.Request, diag.List) { return parse(s, given) },
		State:      encodeCount,
		Derive:     derive,
	})
}

// encodeCount returns the state of an Event, which is its count.
func encodeCount(_ []byte, object map[string]any) []byte {
	return strconv.AppendInt(nil, count(object), 10)
}

// derive returns the event's data, and false if the count has not grown.
func derive(before, now []byte, object map[string]any) (map[string]any, bool) {
	oldCount, newCount := decodeCount(before), decodeCount(now)
	if newCount <= oldCount {
		return nil, false
	}
	data := maps.Clone(object)
	data["count"] = newCount
	return data, true
}

// decodeCount decodes a state. It returns 0 for an invalid one.
func decodeCount(state []byte) int64 {
	n, err := strconv.ParseInt(string(state), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// count returns the number of occurrences that an Event stands for, at least 1.
func count(object map[string]any) int64 {
	series, _ := object["series"].(map[string]any)
	inSeries, _ := series["count"].(int64)
	deprecated, _ := object["deprecatedCount"].(int64)
	return max(inSeries, deprecated, 1)
}
