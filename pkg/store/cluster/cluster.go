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

// Package cluster keeps a store in Kubernetes objects of one namespace: checkpoints
// in TriggerCheckpoints, dead letters and the queue in TriggerEvents.
//
// In addition to the guarantees of package store:
//
//   - A Lease elects one process of several, the Leader. Its holder renews it, and
//     releases it when it ends. After a crash, the next process waits until the Lease
//     expires, unless it has the same identity. Clocks need not be synchronized.
//   - The leader opens any number of stores. Each has a Lease that names the writer,
//     and that is not renewed. It outlives the election of its writer, so that a
//     process that has lost its election cannot write to a store that another one has
//     opened since.
//   - A writer claims each TriggerCheckpoint before it reads it. Later writes of the
//     previous writer conflict, and return ErrFenced.
//   - TriggerCheckpoints are smaller than 1 MiB. A change of one small value rewrites
//     one TriggerCheckpoint with at most 128 KiB of values. Larger ones are rewritten
//     rarely.
//   - The cursor and the values of a change are stored together if the change has
//     at most 128 KiB.
//   - TriggerCheckpoints contain what sources save: names, UIDs, versions and hashes of
//     objects, and results of views. TriggerEvents contain complete events, except
//     Secrets: a reader of TriggerEvents can read the objects that triggers watch.
package cluster

import (
	"context"
	"fmt"
	"maps"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/name"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

// maxOwnerLength is the maximum length of the owner in names and labels. Longer owners
// are shortened.
const maxOwnerLength = 40

// Labels and annotations of stored objects.
const (
	// ownerLabel contains the owner, shortened if it is long.
	ownerLabel = store.Label
	// recordLabel contains the type of the object's content: one of the following.
	recordLabel = "trigger.oam.dev/record"
	checkpointRecord, valuesRecord, dropCounterRecord,
	deadLetterRecord, queueRecord, leaseRecord = "checkpoint", "values", "dropped", "dead-letter", "queue", "lease"
	// checkpointLabel of checkpoints and values contains the hash of the name.
	checkpointLabel = "trigger.oam.dev/checkpoint"
	// sourceLabel of events in the queue contains the hash of the source.
	sourceLabel = "trigger.oam.dev/source"

	// writerAnnotation contains the token of the last writer.
	writerAnnotation = "trigger.oam.dev/writer"
	// replayLabel is set on dead letters with a replay request. replayAnnotation
	// contains the time of the request.
	replayLabel      = "trigger.oam.dev/replay"
	replayAnnotation = "trigger.oam.dev/replay-requested"
	// orderAnnotation contains the time at which a dead letter was stored, or the
	// sequence number of an event in the queue.
	orderAnnotation = "trigger.oam.dev/order"
)

// ClientOptions configure the client of an election or a store. Config is required.
type ClientOptions struct {
	// Config configures the client. Without a QPS, the client has no rate limit.
	Config *rest.Config
	// Scheme contains the kinds of AddToScheme, and Mapper those of the API server.
	// By default, each client has its own; programs that open many stores share them
	// to save memory.
	Scheme *runtime.Scheme
	Mapper meta.RESTMapper
}

// Options configure a store. Client, Namespace, Owner and, to open it for writing,
// Leader are required.
type Options struct {
	Client ClientOptions
	// Namespace contains all objects of the store, and the Lease of Leader.
	Namespace string
	// Owner is the name of the TriggerService. Each owner in a namespace has its own
	// store.
	Owner string
	// Leader is the election of this process. The store is lost when it is lost.
	Leader *Leader
	// OwnerReferences are set on each object that is created.
	OwnerReferences []metav1.OwnerReference
	Limits          store.Limits
	// Clock defaults to the real clock.
	Clock clock.Clock
}

// AddToScheme registers the kinds of objects in which stores are kept.
func AddToScheme(s *runtime.Scheme) error {
	for _, add := range []func(*runtime.Scheme) error{coordinationv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			return err
		}
	}
	return nil
}

// Store is a store that is open for writing.
type Store struct {
	objects
	fence           *fence
	heads           heads
	deadLetterIndex index
	queueIndex      index
	dropCounter     dropCounter
}

var _ store.Store = (*Store)(nil)

// Open opens the store of o.Owner, and takes it over from a writer that was elected
// before. It blocks while a process that is elected by another Lease has the store
// open; if ctx ends first, it returns an error that names that Lease. It returns
// ErrFenced if o.Leader is lost.
func Open(ctx context.Context, o Options) (*Store, error) {
	objects, err := newObjects(o)
	if err != nil {
		return nil, err
	}
	s := &Store{objects: objects}
	if err := s.requireKinds(); err != nil {
		return nil, s.wrapError("open", err)
	}
	if s.fence, err = s.takeOver(ctx); err != nil {
		return nil, s.wrapError("open", err)
	}
	return s, nil
}

// requireKinds returns an error if a kind of the store is not installed.
func (o objects) requireKinds() error {
	for _, kind := range []string{v1alpha1.TriggerCheckpointKind, v1alpha1.TriggerEventKind} {
		_, err := o.client.RESTMapper().RESTMapping(v1alpha1.GroupVersion().WithKind(kind).GroupKind(), v1alpha1.Version)
		if meta.IsNoMatchError(err) {
			return fmt.Errorf("the cluster has no %s of %s; apply the CRDs of this version: kubectl apply -f addon/crds", kind, v1alpha1.GroupVersion())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// OpenDeadLetters returns the dead letters of the store of o.Owner. A writer may have
// the store open.
func OpenDeadLetters(o Options) (*DeadLetters, error) {
	objects, err := newObjects(o)
	if err != nil {
		return nil, err
	}
	return &DeadLetters{objects}, nil
}

// objects gives access to the objects of a store.
type objects struct {
	options Options
	client  client.Client
	// owner is the owner in labels and names, shortened if it is long.
	owner string
}

func newObjects(o Options) (objects, error) {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	o.Limits = o.Limits.WithDefaults()
	c, err := o.Client.newClient()
	if err != nil {
		return objects{}, fmt.Errorf("open store of %s/%s: %w", o.Namespace, o.Owner, err)
	}
	return objects{options: o, client: c, owner: shorten(o.Owner)}, nil
}

func (o ClientOptions) newClient() (client.Client, error) {
	if o.Scheme == nil {
		o.Scheme = runtime.NewScheme()
		if err := AddToScheme(o.Scheme); err != nil {
			return nil, err
		}
	}
	config := rest.CopyConfig(o.Config)
	if config.WarningHandler == nil {
		// By default, client-go logs warnings with a global logger.
		config.WarningHandler = rest.NoWarnings{}
	}
	if config.QPS == 0 {
		// Frequent writes are batched by store.BatchSaver.
		config.QPS = -1
	}
	return client.New(config, client.Options{Scheme: o.Scheme, Mapper: o.Mapper})
}

// shorten returns owner, shortened to maxOwnerLength with a hash.
func shorten(owner string) string {
	return name.Shorten(owner, maxOwnerLength, "x"+codec.ID(owner)[:8])
}

// Lost implements store.Store.
func (s *Store) Lost() <-chan struct{} { return s.fence.lost }

// Close implements store.Store.
func (s *Store) Close() error {
	if err := s.fence.release(); err != nil {
		return fmt.Errorf("close store of %s/%s: %w", s.options.Namespace, s.options.Owner, err)
	}
	return nil
}

func (o objects) wrapError(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("store of %s/%s: %s: %w", o.options.Namespace, o.options.Owner, op, err)
}

// newMeta returns the metadata of a new object with the given type of record.
func (o objects) newMeta(name, record string, labels map[string]string) metav1.ObjectMeta {
	m := newMeta(o.options.Namespace, name, o.owner, record, o.options.OwnerReferences)
	maps.Copy(m.Labels, labels)
	return m
}

func newMeta(namespace, name, owner, record string, references []metav1.OwnerReference) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: namespace, Name: name,
		Labels:          map[string]string{"app.kubernetes.io/managed-by": "kube-trigger", ownerLabel: owner, recordLabel: record},
		Annotations:     map[string]string{},
		OwnerReferences: references,
	}
}

// recordSelector selects the objects with the given type of record.
func (o objects) recordSelector(record string) []client.ListOption {
	return []client.ListOption{client.InNamespace(o.options.Namespace), client.MatchingLabels{ownerLabel: o.owner, recordLabel: record}}
}
