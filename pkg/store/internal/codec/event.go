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

package codec

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/number"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// eventJSON is the stored form of an event.
type eventJSON struct {
	Source  string          `json:"source,omitempty"`
	Type    string          `json:"type,omitempty"`
	ID      string          `json:"id,omitempty"`
	Cluster string          `json:"cluster,omitempty"`
	Key     string          `json:"key,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
	Old     json.RawMessage `json:"old,omitempty"`
	Batch   json.RawMessage `json:"batch,omitempty"`
	Time    time.Time       `json:"time"`
}

// EncodeEvent returns the JSON of ev.
func EncodeEvent(ev event.Event) ([]byte, error) {
	j := eventJSON{
		Source: ev.Source, Type: ev.Type, ID: ev.ID, Cluster: ev.Cluster, Key: ev.Key,
		Time: ev.Time.UTC(),
	}
	var err error
	if j.Data, err = EncodeObject(ev.Data); err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	if j.Old, err = EncodeObject(ev.Old); err != nil {
		return nil, fmt.Errorf("old: %w", err)
	}
	if j.Batch, err = EncodeBatch(ev.Batch); err != nil {
		return nil, err
	}
	return json.Marshal(j)
}

// DecodeEvent decodes the result of EncodeEvent.
func DecodeEvent(b []byte) (event.Event, error) {
	var j eventJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return event.Event{}, fmt.Errorf("event: %w: %w", store.ErrDamaged, err)
	}
	ev := event.Event{
		Source: j.Source, Type: j.Type, ID: j.ID, Cluster: j.Cluster, Key: j.Key,
		Time: j.Time,
	}
	var err error
	if ev.Data, err = DecodeObject(j.Data); err != nil {
		return event.Event{}, fmt.Errorf("data of event %q: %w", ev.ID, err)
	}
	if ev.Old, err = DecodeObject(j.Old); err != nil {
		return event.Event{}, fmt.Errorf("old of event %q: %w", ev.ID, err)
	}
	if ev.Batch, err = DecodeBatch(j.Batch); err != nil {
		return event.Event{}, fmt.Errorf("event %q: %w", ev.ID, err)
	}
	return ev, nil
}

// EncodeBatch returns the JSON of b; nil if b is nil.
func EncodeBatch(b *event.Batch) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	return json.Marshal(b)
}

// DecodeBatch decodes the result of EncodeBatch.
func DecodeBatch(text []byte) (*event.Batch, error) {
	if len(text) == 0 {
		return nil, nil
	}
	var b event.Batch
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, fmt.Errorf("batch: %w: %w", store.ErrDamaged, err)
	}
	return &b, nil
}

// EncodeObject returns the JSON of o; nil if o is nil. It returns ErrRejected if o
// cannot be encoded.
func EncodeObject(o map[string]any) ([]byte, error) {
	if o == nil {
		return nil, nil
	}
	b, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrRejected, err)
	}
	return b, nil
}

// DecodeObject decodes the result of EncodeObject. Its numbers are those of
// number.Unmarshal.
func DecodeObject(b []byte) (map[string]any, error) {
	if len(b) == 0 {
		return nil, nil
	}
	o, err := number.UnmarshalObject(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return o, nil
}
