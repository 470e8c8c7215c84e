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

// Package resource is the source "resource-watcher": it emits an event when an
// object of the Kubernetes API is created, updated or deleted.
//
// It lists and watches, without a cache of objects. What it remembers of each
// object is its name, UID and resourceVersion, about a hundred bytes; and what
// triggers refer to: the fields below `context.old`, and a hash of each path of
// onChange.
//
//   - Objects that exist when a source first starts are not events, unless a
//     trigger asks for sync.
//   - After any interruption the watch goes on from the last resourceVersion
//     that was seen. Where the API server no longer has the history, or has
//     gone back in it, the objects are listed, and exactly what differs is
//     emitted.
//   - With a store, a restart is an interruption like any other. What was done
//     and saved does not come again; what was not, does. Events are saved a
//     moment after they are done, so that a crash may repeat a few.
//   - A trigger that is new on a watch that goes on gets what happens from its
//     first start on; and sync, if it asks for that, without the others getting
//     it again.
//   - An object that did not change is not an event, however often it is listed
//     or sent.
//   - With a selector, an object that begins to match is created, and one that
//     ceases to match is deleted.
//   - The objects in which kube-trigger remembers what is done are not watched.
//   - While a delivery blocks, nothing is read from the API server.
//   - Triggers may ask for joined clusters. Each has a watch of its own, with all of
//     this, which others do not wait for. It begins when the cluster joins, and ends
//     when it leaves, which is no deletion of its objects. A cluster that comes
//     back within an hour goes on where its watch stopped; after that, it is new.
//
// An event's Data is the object without metadata.managedFields. Where an object
// went during a gap in the history, its last state is unknown: Data of the
// delete then has apiVersion, kind and the name, namespace and uid in metadata;
// metadata.resourceVersion is absent.
package resource

import (
	_ "embed"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// Type is the name of the source, as triggers write it.
const Type = "resource-watcher"

const defaultPageSize = 500

//go:embed properties.cue
var properties string

// Options is what sources of this package work with. Client, Metadata, Mapper
// and Clock are required.
type Options struct {
	// Client reads and watches objects.
	Client dynamic.Interface
	// Metadata lists objects where their contents do not matter.
	Metadata metadata.Interface
	// Mapper knows the kinds that are registered. To see kinds that are
	// registered later, it is a meta.ResettableRESTMapper, or looks again by
	// itself.
	Mapper meta.RESTMapper
	Clock  clock.Clock
	// PageSize is the number of objects read at once, 500 if it is 0: the
	// most that are held in memory.
	PageSize int64

	// Checkpoints and Saver remember where each watch stopped. Where they are nil,
	// it starts anew with the process.
	Checkpoints Checkpoints
	Saver       Saver
	// Server is the API server's address. It stands for the cluster where the
	// namespace kube-system may not be read.
	Server string
	// FromNow makes watches that stopped before leave out what happened since.
	FromNow bool
	// SecretKey keys the hashes of what Secrets hold. It must not be kept with
	// the hashes. Without it they are not saved, and what changed in a Secret
	// while the API server forgot its history counts as changed in every field.
	SecretKey []byte
	// OnStatus is told, with the Key of its subscriptions, when a watch waits for its
	// kind and why, and with nil when it works. It must not block. Nobody is
	// told where it is nil.
	OnStatus func(key string, why error)
	// Clusters knows the joined clusters. It may be nil where nothing is opened.
	Clusters *multicluster.Clusters
	// OnClusterStatus is told in place of Waits of what a trigger with clusters does not hear
	// of, as a *clusters.Away, and nil when it hears of all. It must not block.
	// Nobody is told where it is nil.
	OnClusterStatus func(t event.TriggerRef, why error)
}

// New returns the compiler of this source's properties. It needs no cluster to
// check them; the sources that it opens share o.
func New(o Options) source.Compiler {
	compile := newCompiler(o)
	return func(given map[string]any, t source.Spec) (source.Subscription, diag.List) {
		s, problems := compile(given, t, nil)
		if len(problems) > 0 {
			return nil, problems
		}
		return comparer{s}, nil
	}
}

// newCompiler returns what makes subscriptions of properties: to this source or,
// where there is a derivation, to that.
func newCompiler(o Options) func(map[string]any, source.Spec, *DerivedSource) (subscription, diag.List) {
	if o.PageSize == 0 {
		o.PageSize = defaultPageSize
	}
	mapper := &sharedMapper{mapper: o.Mapper, clock: o.Clock}
	s := schema.NewLazy(properties)
	return func(given map[string]any, t source.Spec, d *DerivedSource) (subscription, diag.List) {
		q, clusters, events, problems := parse(s, given)
		if len(problems) > 0 {
			return subscription{}, problems
		}
		if d != nil {
			q.derivedType = d.Type
		}
		return subscription{
			query:    q,
			clusters: clusters,
			trigger:  t,
			events:   events,
			open: func(shared []subscription) source.Source {
				if q.cluster == anyCluster {
					return newMultiClusterWatcher(o, mapper, q, d, shared)
				}
				return newWatcher(o, mapper, q, d, shared)
			},
		}, nil
	}
}
