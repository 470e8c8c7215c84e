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

// Package dataflow derives which objects triggers read and write, without running them: the
// rights that they need, and which trigger's writes are events of which.
//
// What cannot be known before an event occurs is said. An edge between triggers is one that may
// be; a Cycle is certain only where every event leads around it.
package dataflow

import (
	"fmt"
	"slices"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/rights"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// Flow is what a trigger reads and writes.
type Flow struct {
	Trigger event.TriggerRef
	// SourceType is the type of the trigger's source.
	SourceType string
	// Watches are what the source watches, and Reads the rights that it needs in addition.
	Watches []source.Watch
	Reads   []rights.Right
	// Uses are what the actions do to objects.
	Uses []Use
	// Unknown says which rights cannot be derived, each with its place in the trigger.
	Unknown []string
	// Conditional is set if a filter, onChange or another condition decides which events the
	// trigger acts on.
	Conditional bool
	// AllowsSelf is set if the trigger acts on its own writes.
	AllowsSelf bool
	// Suspended is set if the trigger does not run.
	Suspended bool
}

// Use is what an action does.
type Use struct {
	// Path is where the trigger has the action: "action", or "actions[0]".
	Path string
	action.Use
}

// Of returns the flow of a compiled trigger, which was written as spec. app is the Application that
// it is part of; the zero value for none.
func Of(t trigger.Compiled, spec v1alpha1.Trigger, app event.Application, names rights.Names) Flow {
	f := Flow{
		Trigger: t.TriggerRef, SourceType: t.SourceType, AllowsSelf: spec.AllowSelfTrigger, Suspended: t.Suspended,
		Conditional: spec.Filter != "" || len(spec.OnChange) > 0,
	}
	if t.Subscription == nil {
		return f
	}
	if w := t.Subscription.Watch(); w != nil {
		f.Watches = append(f.Watches, *w)
		f.Conditional = f.Conditional || w.Filtered
	}
	if a, ok := t.Subscription.(source.Accessor); ok {
		list, unknown := a.Rights()
		if unknown != "" {
			f.note("source", unknown)
		}
		for _, r := range list {
			if !slices.Contains(r.Verbs, "watch") {
				f.Reads = append(f.Reads, r)
				continue
			}
			f.Watches = append(f.Watches, source.Watch{Kind: r.GroupVersionKind(), Namespace: r.Namespace, Name: r.Name, OwnCluster: true})
		}
	}
	for _, a := range t.Actions {
		for _, e := range f.events(spec, names) {
			e.Trigger = event.Trigger{Name: t.Name, Namespace: t.Namespace, Application: app}
			uses, unknown := a.Uses(e)
			for _, u := range uses {
				if use := (Use{a.Path, u}); !slices.ContainsFunc(f.Uses, func(o Use) bool { return o.Path == use.Path && o.Equal(u.Right) }) {
					f.Uses = append(f.Uses, use)
				}
			}
			for _, text := range unknown {
				f.note(a.Path, text)
			}
		}
	}
	return f
}

func (f *Flow) note(path, text string) {
	note := fmt.Sprintf("%s of trigger %s: %s; give the right by hand", path, f.Trigger.Name, text)
	if !slices.Contains(f.Unknown, note) {
		f.Unknown = append(f.Unknown, note)
	}
}

// events returns the events of the trigger, for each kind of object.
func (f *Flow) events(spec v1alpha1.Trigger, names rights.Names) []action.Events {
	grouped := spec.Group != nil
	if len(f.Watches) == 0 {
		return []action.Events{{Source: f.SourceType, Grouped: grouped}}
	}
	var out []action.Events
	for _, w := range f.Watches {
		out = append(out, action.Events{
			Source: f.SourceType, Types: w.Types, Kind: w.Kind, Namespace: w.Namespace, Name: w.Name, Grouped: grouped,
			ClusterScoped: names.Resource(w.Kind).ClusterScoped, OtherClusters: w.InJoinedClusters(),
		})
	}
	return out
}

// Rights returns the rights that the trigger needs, without those that a wider one includes.
func (f Flow) Rights() []rights.Right {
	var list []rights.Right
	for _, w := range f.Watches {
		r := rights.Of(w.Kind, "list", "watch")
		r.Namespace, r.Name = w.Namespace, w.Name
		if w.OwnCluster {
			list = append(list, r)
		}
		for _, cluster := range w.Clusters {
			r.Cluster = cluster
			list = append(list, r)
		}
		if w.OtherClusters {
			r.Cluster = rights.AnyCluster
			list = append(list, r)
		}
	}
	list = append(list, f.Reads...)
	for _, u := range f.Uses {
		if u.Cluster == rights.AnyCluster {
			list = append(list, f.inClusters(u.Right)...)
			continue
		}
		list = append(list, u.Right)
	}
	return rights.Minimal(list)
}

// inClusters returns a right in the clusters of the events.
func (f Flow) inClusters(r rights.Right) []rights.Right {
	var out []rights.Right
	for _, w := range f.Watches {
		for _, cluster := range w.Clusters {
			r.Cluster = cluster
			out = append(out, r)
		}
		if w.OtherClusters {
			r.Cluster = rights.AnyCluster
			out = append(out, r)
		}
		if w.OwnCluster {
			r.Cluster = ""
			out = append(out, r)
		}
	}
	return out
}
