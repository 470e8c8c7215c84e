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
// It lists and watches, without a cache of objects, and asks for whole objects only if a
// trigger needs more than their metadata. For each object it keeps the
// name, UID and resourceVersion, about a hundred bytes, and the state that triggers
// refer to: the fields below `context.old`, and a hash of each onChange field.
//
//   - Objects that exist when a source first starts are not events, unless a
//     trigger subscribes to sync events.
//   - After an interruption the watch resumes from the last resourceVersion. If the
//     API server no longer has that history, or its state is older (etcd was
//     restored), the objects are listed, and an event is emitted for each
//     difference.
//   - With a store, a restart is an interruption like any other. Events that were
//     done and saved are not repeated; all others are. Events are saved shortly
//     after they are done, so a crash may repeat a few.
//   - A trigger that is added to a resumed watch gets the events after its first
//     start, and sync events if it subscribes to them. Other triggers do not get
//     their sync events again.
//   - An object that did not change is not an event, no matter how often the API
//     server lists or sends it.
//   - With a selector, an object that starts to match is a create event, and one
//     that stops matching is a delete event.
//   - The objects of kube-trigger's own store are not watched.
//   - Watches of the same objects by the same account, or for the same Application, share one
//     stream; see Streams.
//   - While deliveries of all watches of a stream block, nothing is read from the API server.
//   - Triggers may select joined clusters. Each cluster has its own watch, with all
//     of these guarantees; watches do not block each other. The watch starts when
//     the cluster joins and stops when it leaves, without delete events for its
//     objects. A cluster that joins again within an hour resumes; later, it starts
//     anew.
//
// An event's Data is the object without metadata.managedFields. If an object was
// deleted during a gap in the history, its last state is unknown: Data of the delete
// event has only apiVersion, kind, and the name, namespace and uid in metadata.
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
	"github.com/kubevela/kube-trigger/pkg/store"
)

// Type is the type of the source in triggers.
const Type = "resource-watcher"

const defaultPageSize = 500

//go:embed properties.cue
var properties string

// Options configures the sources of this package. Client, Metadata, Mapper and Clock
// are required to run a source, none of them to compile properties.
type Options struct {
	// Client lists and watches objects.
	Client dynamic.Interface
	// Metadata lists objects of which only the metadata is needed.
	Metadata metadata.Interface
	// Mapper resolves kinds. To find kinds that are registered later, it must be a
	// meta.ResettableRESTMapper or refresh itself.
	Mapper meta.RESTMapper
	Clock  clock.Clock
	// PageSize is the maximum number of objects per list request, and of listed objects
	// in memory, unless their sizes allow less. Defaults to 500.
	PageSize int64
	// PagedLists requests all lists of objects in pages. Otherwise the API server streams those of
	// whole objects, if it can.
	PagedLists bool

	// Streams shares the watch streams of the sources of a process that have the same API
	// server. Account is the one of Client, and Application is NAMESPACE/NAME of the
	// Application of the sources, if they have one: streams are shared by one account, and by
	// the accounts of one Application that may watch the same. Defaults to Streams of the
	// factory's own sources.
	Streams     *Streams
	Account     string
	Application string

	// Checkpoints and Saver persist the checkpoint of each watch. If they are nil,
	// every process starts with an initial list.
	Checkpoints store.Checkpoints
	Saver       store.Saver
	// Server is the URL of the API server. It identifies the cluster if reading the
	// namespace kube-system is forbidden.
	Server string
	// FromNow makes watches ignore all events between the checkpoint and the start.
	FromNow bool
	// SecretKey is the HMAC key of hashes of Secrets' fields. It must not be stored
	// together with the hashes. Without it these hashes are not saved, and an update
	// of a Secret across a gap in the history counts as a change of every field.
	SecretKey []byte
	// OnStatus, if set, is called with the Key of a watch's subscriptions: with an
	// error when the watch waits for its kind, and with nil when it is established.
	// It must not block.
	OnStatus func(key string, err error)
	// Clusters looks up the joined clusters. It is required to run a source that
	// selects clusters.
	Clusters *multicluster.Clusters
	// OnClusterStatus, if set, is called instead of OnStatus for each trigger that
	// selects clusters: with a *multicluster.UnavailableError when clusters cannot be
	// watched, and with nil when all are watched. It must not block.
	OnClusterStatus func(t event.TriggerRef, err error)
}

// New returns the factory of this source. Compiling needs no cluster; the sources that
// are opened share o.
func New(o Options) source.Factory {
	compile := newCompiler(o)
	return source.Factory{
		Properties:   properties,
		Capabilities: source.Capabilities{OnChange: true, Status: true, Form: event.Form{Types: []string{event.Create, event.Update, event.Delete, event.Sync}}},
		Compile: func(properties map[string]any, t source.Spec) (source.Subscription, diag.List) {
			s, list := compile(properties, t, nil)
			if len(list) > 0 {
				return nil, list
			}
			return s, nil
		},
	}
}

// newCompiler returns the function that compiles properties to a subscription of this
// source or, if a derived source is given, of that.
func newCompiler(o Options) func(map[string]any, source.Spec, *DerivedSource) (subscription, diag.List) {
	if o.PageSize == 0 {
		o.PageSize = defaultPageSize
	}
	if o.Streams == nil {
		o.Streams = &Streams{}
	}
	mapper := &sharedMapper{mapper: o.Mapper, clock: o.Clock}
	s := schema.NewLazy(properties)
	return func(properties map[string]any, t source.Spec, d *DerivedSource) (subscription, diag.List) {
		q, clusters, events, list := parse(s, properties, t.Application)
		if len(list) > 0 {
			return subscription{}, list
		}
		if d != nil {
			q.derivedType = d.Type
		}
		return subscription{
			query:    q,
			clusters: clusters,
			trigger:  t,
			events:   events,
			derived:  d,
			open: func(shared []subscription) source.Source {
				return newWatchGroup(o, mapper, q, d, shared)
			},
		}, nil
	}
}
