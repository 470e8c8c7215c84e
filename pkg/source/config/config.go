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

// Package config is the source "config": it emits an event when a ConfigMap or Secret of a
// list is created or updated, by default when its data changes.
//
// It is built on package resource: each object has a watch and a checkpoint of its own, with
// all guarantees of that package. The checkpoint belongs to the object, so that a change of
// the list neither loses nor repeats events of the objects that stay. A watch that fails is
// tried again and delays no other one.
//
// The triggers of a namespace share the watches. An event's Data is the object.
package config

import (
	_ "embed"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/reference"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

// Type is the source's type in triggers.
const Type = "config"

//go:embed properties.cue
var properties string

// New returns the factory of this source. Compiling needs no cluster.
func New(o resource.Options) source.Factory {
	s := schema.NewLazy(properties)
	return source.Factory{
		Properties:   properties,
		Capabilities: source.Capabilities{OnChange: true, Status: true, Form: event.Form{Types: []string{event.Create, event.Update, event.Delete, event.Sync}}},
		Compile: func(given map[string]any, t source.Spec) (source.Subscription, diag.List) {
			p, list := parse(s, given, t)
			if len(list) > 0 {
				return nil, list
			}
			if len(t.OnChange) == 0 {
				t.OnChange = []source.Path{{"data"}, {"binaryData"}}
			}
			sub := subscription{options: o, trigger: t, events: p.Events, objects: map[reference.Reference]source.Subscription{}}
			for _, r := range p.Objects {
				object, problems := sub.compile(o, r)
				sub.objects[r], list = object, append(list, problems...)
			}
			if len(list) > 0 {
				return nil, list
			}
			return sub, nil
		},
	}
}
