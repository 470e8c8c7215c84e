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

package action

import (
	"context"
	"sync"
)

// A Journal remembers which provider calls of one event have succeeded, so that
// a later attempt at the same event answers them from memory and goes on with
// the ones that failed: an action that bumps three Applications and is refused
// at the third does not bump the first two again. Reads are never remembered.
type Journal struct {
	mu      sync.Mutex
	results map[string]map[string]any
	// progress is that of several actions; nil for a single one.
	progress *progress
	// values is what was kept, by key.
	values map[any]any
}

// NewJournal returns an empty journal, for one event and one trigger.
func NewJournal() *Journal { return &Journal{} }

// WithJournal returns a context in which Run keeps j. Without one each Run
// starts afresh.
func WithJournal(ctx context.Context, j *Journal) context.Context {
	return context.WithValue(ctx, journalKey{}, j)
}

type journalKey struct{}

func journalFrom(ctx context.Context) *Journal {
	if j, ok := ctx.Value(journalKey{}).(*Journal); ok && j != nil {
		return j
	}
	return NewJournal()
}

func (j *Journal) get(key string) (map[string]any, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	result, ok := j.results[key]
	return result, ok
}

func (j *Journal) put(key string, result map[string]any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.results == nil {
		j.results = map[string]map[string]any{}
	}
	j.results[key] = result
}

// JournalValue returns what is kept under key with the journal of ctx, which is what first
// returned when it was first asked for.
func JournalValue(ctx context.Context, key any, newValue func() any) any {
	j := journalFrom(ctx)
	j.mu.Lock()
	defer j.mu.Unlock()
	v, ok := j.values[key]
	if !ok {
		if j.values == nil {
			j.values = map[any]any{}
		}
		v = newValue()
		j.values[key] = v
	}
	return v
}
