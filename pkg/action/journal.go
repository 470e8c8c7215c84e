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

// Journal records the successful provider calls of one event, so that a retry returns
// their recorded results and executes only the calls that failed: an action that
// patches three Applications and fails at the third does not patch the first two
// again. Calls that only read are not recorded. It is safe for concurrent use.
type Journal struct {
	mu      sync.Mutex
	results map[string]map[string]any
	// progress is the progress of a Sequence; nil for a single action.
	progress *progress
	// values are those of JournalValue.
	values map[any]any
}

// NewJournal returns an empty journal for one event and one trigger.
func NewJournal() *Journal { return &Journal{} }

// WithJournal returns a context in which Run uses j. Without a journal, each Run
// executes all calls.
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

// JournalValue returns the value that the journal of ctx stores under key. The first
// call stores the result of newValue.
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
