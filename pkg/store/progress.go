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

package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// MaxProgress is the maximum number of values of a Progress.
const MaxProgress = 256

// progressPrefix begins the names of the checkpoints of Progresses.
const progressPrefix = "progress:"

// ProgressName returns the name of the checkpoint with the progress of a trigger's actions.
func ProgressName(t event.TriggerRef) string { return progressPrefix + t.String() }

// IsProgress reports whether a checkpoint is that of a Progress.
func IsProgress(name string) bool { return strings.HasPrefix(name, progressPrefix) }

// Progress keeps what a trigger's actions have done for events that they are not done with, in a
// checkpoint, so that they do not do it again after a restart. A value that has expired may be
// dropped. It is safe for concurrent use.
type Progress struct {
	checkpoints Checkpoints
	name        string
	clock       clock.PassiveClock

	mu sync.Mutex
	// values are those in the checkpoint; nil before they are read.
	values map[string]progressValue
}

// progressValue is a value in a checkpoint.
type progressValue struct {
	Expires time.Time
	Data    []byte
}

// NewProgress returns the progress of the actions of t.
func NewProgress(c Checkpoints, t event.TriggerRef, clock clock.PassiveClock) *Progress {
	return &Progress{checkpoints: c, name: ProgressName(t), clock: clock}
}

// Load returns the value of key; nil if there is none. The caller must not modify it.
func (p *Progress) Load(ctx context.Context, key string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.read(ctx); err != nil {
		return nil, err
	}
	return p.values[key].Data, nil
}

// Save stores the value of key. Of more than MaxProgress values, the one that expires first is
// dropped. Save returns ErrRejected if the value is too large.
func (p *Progress) Save(ctx context.Context, key string, data []byte, expires time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.read(ctx); err != nil {
		return err
	}
	value := progressValue{Expires: expires, Data: data}
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode progress: %w", err)
	}
	change := p.expired()
	if _, ok := p.values[key]; !ok && len(p.values)-len(change) >= MaxProgress {
		change[p.first()] = nil
	}
	change[key] = encoded
	if err := p.change(ctx, change); err != nil {
		return err
	}
	p.values[key] = value
	return nil
}

// DropExpired removes the values that have expired.
func (p *Progress) DropExpired(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.read(ctx); err != nil {
		return err
	}
	return p.change(ctx, p.expired())
}

// expired returns the change that removes the values that have expired.
func (p *Progress) expired() map[string][]byte {
	change := map[string][]byte{}
	for key, v := range p.values {
		if !v.Expires.After(p.clock.Now()) {
			change[key] = nil
		}
	}
	return change
}

// first returns the key of the value that expires first, of those that have not expired.
func (p *Progress) first() string {
	var first string
	for key, v := range p.values {
		if v.Expires.After(p.clock.Now()) && (first == "" || v.Expires.Before(p.values[first].Expires)) {
			first = key
		}
	}
	return first
}

// change saves a change, and drops the values of its keys.
func (p *Progress) change(ctx context.Context, change map[string][]byte) error {
	if len(change) == 0 {
		return nil
	}
	if err := p.checkpoints.Save(ctx, p.name, Change{Values: change}); err != nil {
		return err
	}
	maps.DeleteFunc(p.values, func(key string, _ progressValue) bool { _, changed := change[key]; return changed })
	return nil
}

// read reads the checkpoint once: p is its only writer.
func (p *Progress) read(ctx context.Context) error {
	if p.values != nil {
		return nil
	}
	c, err := p.checkpoints.Load(ctx, p.name)
	if err != nil {
		return fmt.Errorf("load progress of actions: %w", err)
	}
	values := make(map[string]progressValue, len(c.Values))
	for key, encoded := range c.Values {
		var v progressValue
		if err := json.Unmarshal(encoded, &v); err != nil {
			return fmt.Errorf("progress of actions: %w: %w", ErrDamaged, err)
		}
		values[key] = v
	}
	p.values = values
	return nil
}
