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

package journal

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/go-logr/logr"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/redact"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// Recorder records what sources deliver. It is safe for concurrent use.
type Recorder struct {
	Writer *Writer

	recorded atomic.Int64
}

// Recorded returns the number of events that were recorded.
func (r *Recorder) Recorded() int { return int(r.recorded.Load()) }

// Record has the sources of triggers record each event before they deliver it. An event that
// cannot be recorded is logged, and delivered.
func (r *Recorder) Record(triggers []engine.Trigger) {
	for i, t := range triggers {
		triggers[i].Subscription = subscription{Subscription: t.Subscription, sourceType: t.SourceType, recorder: r}
	}
}

// subscription is a subscription whose source records.
type subscription struct {
	source.Subscription
	sourceType string
	recorder   *Recorder
}

// Open implements source.Subscription.
func (s subscription) Open(shared []source.Subscription) source.Source {
	all := make([]source.Subscription, len(shared))
	for i, other := range shared {
		if recorded, ok := other.(subscription); ok {
			other = recorded.Subscription
		}
		all[i] = whole(other)
	}
	return recordedSource{whole(s.Subscription).Open(all), s.recorder, Stream{Source: s.sourceType, Key: s.Key()}}
}

// whole returns the subscription to whole objects: others may look at more of what is recorded than
// the trigger does.
func whole(s source.Subscription) source.Subscription {
	if m, ok := s.(source.MetadataSubscription); ok {
		return m.Whole()
	}
	return s
}

// recordedSource is a source whose events are recorded.
type recordedSource struct {
	source.Source
	recorder *Recorder
	stream   Stream
}

// Run implements source.Source.
func (s recordedSource) Run(ctx context.Context, sink source.Sink) error {
	return s.Source.Run(ctx, recordingSink{sink, s})
}

// recordingSink records events, and passes them on.
type recordingSink struct {
	source.Sink
	source recordedSource
}

// Deliver implements source.Sink.
func (s recordingSink) Deliver(ctx context.Context, ev event.Event, d source.Delivery) error {
	if err := s.source.recorder.record(s.source.stream, ev, d); err != nil {
		logr.FromContextOrDiscard(ctx).Error(err, "Event not recorded", "event", ev.ID)
	}
	return s.Sink.Deliver(ctx, ev, d)
}

func (r *Recorder) record(stream Stream, ev event.Event, d source.Delivery) error {
	data, err := encode(ev.Data)
	if err != nil {
		return err
	}
	var old []byte
	if ev.Old != nil && !redact.Holds(ev.Data) { // its fields do not say that they are those of a Secret
		public, err := public(ev.Old)
		if err != nil {
			return err
		}
		if old, err = json.Marshal(public); err != nil {
			return err
		}
	}
	if err := r.Writer.Append(Record{
		Stream: stream, Time: ev.Time, Type: ev.Type, ID: ev.ID, Cluster: ev.Cluster, Key: ev.Key,
		Writer: d.Writer, Unchanged: d.Unchanged, Data: data, Old: old,
	}); err != nil {
		return err
	}
	r.recorded.Add(1)
	return nil
}

// encode returns the fields of data, sorted, without the values of Secrets.
func encode(data map[string]any) ([]Field, error) {
	if data == nil {
		return nil, nil
	}
	public, err := public(data)
	if err != nil {
		return nil, err
	}
	fields := make([]Field, 0, len(public))
	for _, name := range slices.Sorted(maps.Keys(public)) {
		value, err := json.Marshal(public[name])
		if err != nil {
			return nil, err
		}
		fields = append(fields, Field{name, value})
	}
	return fields, nil
}

// public returns data without the values of Secrets.
func public(data map[string]any) (map[string]any, error) {
	if p := redact.Public(data); p != nil {
		return p, nil
	}
	return nil, errors.New("the values of Secrets cannot be left out")
}
