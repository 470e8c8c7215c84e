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

// Package cluster keeps a store in Kubernetes objects of one namespace: resume
// points and history in ConfigMaps, dead letters and the spool in
// TriggerEvents.
//
// Beyond what every store guarantees:
//
//   - A Lease says who may write. Its holder renews it, and lets go of it when
//     it closes the store; after a crash the next holder waits until it lapses,
//     unless it has the same identity. Clocks need not agree.
//   - Whoever takes the Lease claims each object that it reads, so that a write
//     of the holder before cannot follow. That one gets ErrFenced.
//   - ConfigMaps stay below 1 MiB. A change of one object rewrites one
//     ConfigMap of at most 128 KiB; larger ones are rewritten as seldom as the
//     number of changes allows.
//   - Its ConfigMaps hold names, UIDs, versions and what sources have seen of
//     objects, but no objects. TriggerEvents hold events as a whole: who may
//     read them sees what the triggers saw, other than Secrets.
package cluster

import (
	"context"
	"fmt"
	"maps"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

const (
	// DefaultLeaseDuration is how long the store is closed to others after its
	// holder crashed.
	DefaultLeaseDuration = 15 * time.Second
	// defaultRuns is the length of the history.
	defaultRuns = 200
	// maxOwnerLength is how much of a long owner's name is in names and labels.
	maxOwnerLength = 40
)

// What labels and annotations say.
const (
	// ownerLabel is the owner, shortened where it is long.
	ownerLabel = store.Label
	// recordLabel says what an object holds.
	recordLabel = "trigger.oam.dev/record"
	checkpointRecord, inventoryRecord, historyRecord,
	deadLetterRecord, queueRecord = "mark", "inventory", "history", "dead-letter", "accepted"
	// watchLabel, on marks and inventories, is the hash of the watch.
	watchLabel = "trigger.oam.dev/watch"
	// sourceLabel, on accepted events, is the hash of the source.
	sourceLabel = "trigger.oam.dev/source"

	// writerAnnotation names the hold of the Lease that wrote last.
	writerAnnotation = "trigger.oam.dev/writer"
	// replayLabel is on dead letters whose replay was asked for, and
	// replayAnnotation says when that was.
	replayLabel      = "trigger.oam.dev/replay"
	replayAnnotation = "trigger.oam.dev/replay-asked"
	// orderAnnotation is when a letter was buried, or the number of an accepted
	// event.
	orderAnnotation = "trigger.oam.dev/order"
)

// Options say where a store is kept, and how.
type Options struct {
	// Config is a client's. Without a QPS of its own it is not limited.
	Config *rest.Config
	// Namespace holds all of its objects.
	Namespace string
	// Owner tells the stores of a namespace apart: the TriggerService's name.
	Owner string
	// Identity names this writer. One that is the same after a restart, such as
	// the name of a pod, need not wait for its own Lease to lapse. Two that run
	// at the same time must differ, or they take the store from each other.
	Identity string
	// OwnerReferences are set on every object that is created.
	OwnerReferences []metav1.OwnerReference
	Limits          store.Limits
	// LeaseDuration is DefaultLeaseDuration where it is 0.
	LeaseDuration time.Duration
	// Clock is the real one where it is nil.
	Clock clock.Clock
	// Scheme has what AddToScheme registers, and Mapper knows the API server's
	// kinds. Who opens many stores shares them, since they take memory; where they
	// are nil, a store has its own.
	Scheme *runtime.Scheme
	Mapper meta.RESTMapper
}

// AddToScheme registers the kinds of objects that stores are kept in.
func AddToScheme(s *runtime.Scheme) error {
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, coordinationv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			return err
		}
	}
	return nil
}

// Store is an open store.
type Store struct {
	*DeadLetters
	options         Options
	fence           *fence
	watches         watches
	deadLetterIndex index
	queueIndex      index
	history         history
}

var _ store.Store = (*Store)(nil)

// Open returns the store of o.Owner when nobody else holds it, or an error that
// names the holder when ctx ends first.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.LeaseDuration == 0 {
		o.LeaseDuration = DefaultLeaseDuration
	}
	failures, err := OpenDeadLetters(o)
	if err != nil {
		return nil, err
	}
	s := &Store{DeadLetters: failures, options: failures.options}
	if s.fence, err = s.acquireLease(ctx); err != nil {
		return nil, fmt.Errorf("open store of %s/%s: %w", o.Namespace, o.Owner, err)
	}
	return s, nil
}

// OpenDeadLetters returns the dead letters of the store of o.Owner, whoever else
// has it open.
func OpenDeadLetters(o Options) (*DeadLetters, error) {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	defaults := store.DefaultLimits()
	defaults.Runs = defaultRuns
	o.Limits = o.Limits.WithDefaults(defaults)
	if o.Scheme == nil {
		o.Scheme = runtime.NewScheme()
		if err := AddToScheme(o.Scheme); err != nil {
			return nil, err
		}
	}
	config := rest.CopyConfig(o.Config)
	if config.WarningHandler == nil {
		// Otherwise they go to a global logger.
		config.WarningHandler = rest.NoWarnings{}
	}
	if config.QPS == 0 {
		// What is written often is batched already.
		config.QPS = -1
	}
	c, err := client.New(config, client.Options{Scheme: o.Scheme, Mapper: o.Mapper})
	if err != nil {
		return nil, fmt.Errorf("open store of %s/%s: %w", o.Namespace, o.Owner, err)
	}
	return &DeadLetters{options: o, client: c, owner: shorten(o.Owner)}, nil
}

// shorten returns a name that fits into labels, and before others into names.
func shorten(owner string) string {
	if len(owner) <= maxOwnerLength {
		return owner
	}
	return owner[:maxOwnerLength-9] + "x" + codec.ID(owner)[:8]
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

// newMeta returns the metadata of a new object that holds the given record.
func (f *DeadLetters) newMeta(name, holds string, labels map[string]string) metav1.ObjectMeta {
	m := metav1.ObjectMeta{
		Namespace: f.options.Namespace, Name: name,
		Labels:          map[string]string{"app.kubernetes.io/managed-by": "kube-trigger", ownerLabel: f.owner, recordLabel: holds},
		Annotations:     map[string]string{},
		OwnerReferences: f.options.OwnerReferences,
	}
	maps.Copy(m.Labels, labels)
	return m
}

// recordSelector selects the objects that hold the given record.
func (f *DeadLetters) recordSelector(holds string) []client.ListOption {
	return []client.ListOption{client.InNamespace(f.options.Namespace), client.MatchingLabels{ownerLabel: f.owner, recordLabel: holds}}
}

// claim makes cm, of which name and namespace are set, this writer's and reads
// it: no write of another that is based on what was there before can follow.
func (s *Store) claim(ctx context.Context, cm *corev1.ConfigMap) error {
	if err := s.fence.check(); err != nil {
		return err
	}
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, writerAnnotation, s.fence.token)
	return s.client.Patch(ctx, cm, client.RawPatch(mergePatch, []byte(patch)))
}
