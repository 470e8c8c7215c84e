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

// Package clusterevent is the source "event": it emits an event when a Kubernetes
// Event of events.k8s.io/v1 is made or, where that is asked for, repeated.
//
// It is the resource source, with its promises. An Event is repeated where its
// count grows: that of its series, or the deprecated one of reporters that write
// v1 Events. Other changes of it are no events, nor is its deletion, which comes
// an hour later. A count that grows by several at once is one event.
//
// An event's Data is the Event, and its count as "count", from whichever field it
// comes.
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

// Type is the name of the source, as triggers write it.
const Type = "event"

//go:embed properties.cue
var properties string

// New returns the compiler of this source's properties. It needs no cluster to
// check them.
func New(o resource.Options) source.Compiler {
	s := schema.NewLazy(properties)
	return resource.NewDerived(o, resource.DerivedSource{
		Type:   Type,
		Parse:  func(given map[string]any) (resource.Request, diag.List) { return parse(s, given) },
		State:  encodeCount,
		Derive: derive,
	})
}

// encodeCount returns what is remembered of an Event: its count.
func encodeCount(_ []byte, object map[string]any) []byte {
	return strconv.AppendInt(nil, count(object), 10)
}

// derive returns an Event with its count, if that grew.
func derive(before, now []byte, object map[string]any) (map[string]any, bool) {
	oldCount, newCount := decodeCount(before), decodeCount(now)
	if newCount <= oldCount {
		return nil, false
	}
	data := maps.Clone(object)
	data["count"] = newCount
	return data, true
}

// decodeCount reads a note, 0 where there is none.
func decodeCount(note []byte) int64 {
	n, err := strconv.ParseInt(string(note), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// count returns how often what an Event is about has happened, 1 at least.
func count(object map[string]any) int64 {
	series, _ := object["series"].(map[string]any)
	inSeries, _ := series["count"].(int64)
	deprecated, _ := object["deprecatedCount"].(int64)
	return max(inSeries, deprecated, 1)
}
