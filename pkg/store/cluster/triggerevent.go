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

package cluster

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

// toAPIEvent returns ev in the form of a TriggerEvent.
func toAPIEvent(ev event.Event) (v1alpha1.Event, error) {
	e := v1alpha1.Event{
		Source: ev.Source, Type: ev.Type, ID: ev.ID, Cluster: ev.Cluster, Key: ev.Key,
		Time: toMicroTime(ev.Time),
	}
	var err error
	if e.Data, err = toRawExtension(ev.Data); err != nil {
		return v1alpha1.Event{}, err
	}
	if e.Old, err = toRawExtension(ev.Old); err != nil {
		return v1alpha1.Event{}, err
	}
	batch, err := codec.EncodeBatch(ev.Batch)
	if batch != nil {
		e.Batch = &runtime.RawExtension{Raw: batch}
	}
	return e, err
}

func toRawExtension(o map[string]any) (*runtime.RawExtension, error) {
	text, err := codec.EncodeObject(o)
	if err != nil || text == nil {
		return nil, err
	}
	return &runtime.RawExtension{Raw: text}, nil
}

// fromAPIEvent is the inverse of toAPIEvent.
func fromAPIEvent(e v1alpha1.Event) (event.Event, error) {
	ev := event.Event{
		Source: e.Source, Type: e.Type, ID: e.ID, Cluster: e.Cluster, Key: e.Key,
		Time: fromMicroTime(e.Time),
	}
	var err error
	if e.Data != nil {
		if ev.Data, err = codec.DecodeObject(e.Data.Raw); err != nil {
			return event.Event{}, err
		}
	}
	if e.Old != nil {
		if ev.Old, err = codec.DecodeObject(e.Old.Raw); err != nil {
			return event.Event{}, err
		}
	}
	if e.Batch != nil {
		ev.Batch, err = codec.DecodeBatch(e.Batch.Raw)
	}
	return ev, err
}

func toMicroTime(t time.Time) *metav1.MicroTime {
	if t.IsZero() {
		return nil
	}
	m := metav1.NewMicroTime(t.UTC())
	return &m
}

func fromMicroTime(t *metav1.MicroTime) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// index contains the order annotations of the TriggerEvents of one type, by name.
type index struct {
	mu     sync.Mutex
	loaded bool
	order  map[string]string
	// last is the highest sequence number that was assigned.
	last string
}

// loadIndex lists the TriggerEvents with the given type of record.
func (s *Store) loadIndex(ctx context.Context, i *index, record string) error {
	order := map[string]string{}
	if err := s.eachMetadata(ctx, s.recordSelector(record), func(m metav1.PartialObjectMetadata) {
		order[m.Name] = m.Annotations[orderAnnotation]
	}); err != nil {
		return err
	}
	i.order, i.loaded = order, true
	return nil
}

// eachMetadata calls f with the metadata of each selected TriggerEvent.
func (s *Store) eachMetadata(ctx context.Context, options []client.ListOption, f func(metav1.PartialObjectMetadata)) error {
	var all metav1.PartialObjectMetadataList
	all.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind(v1alpha1.TriggerEventKind + "List"))
	if err := s.client.List(ctx, &all, options...); err != nil {
		return err
	}
	for _, m := range all.Items {
		f(m)
	}
	return nil
}

// sorted returns the names, sorted by order annotation.
func (i *index) sorted() []string {
	return slices.SortedFunc(maps.Keys(i.order), func(a, b string) int {
		if c := strings.Compare(i.order[a], i.order[b]); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
}

// oldest returns the lowest order annotation.
func (i *index) oldest() string {
	return slices.Min(slices.Collect(maps.Values(i.order)))
}
