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

// Package warning collects what is worth knowing about an action that succeeds, such as
// a value that its message lacks. Warnings contain no values of the event.
package warning

import (
	"context"
	"slices"
	"sync"
)

// limit is the maximum number of warnings of one collection.
const limit = 10

type collectorKey struct{}

// collector is safe for concurrent use.
type collector struct {
	mu    sync.Mutex
	texts []string
}

// Collect returns a context in which warnings are collected, and the function that
// returns them, each once and at most 10.
func Collect(ctx context.Context) (collecting context.Context, collected func() []string) {
	c := &collector{}
	return context.WithValue(ctx, collectorKey{}, c), func() []string {
		c.mu.Lock()
		defer c.mu.Unlock()
		return slices.Clone(c.texts)
	}
}

// Add adds texts to the collection of ctx, if there is one.
func Add(ctx context.Context, texts ...string) {
	c, ok := ctx.Value(collectorKey{}).(*collector)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, text := range texts {
		if len(c.texts) < limit && !slices.Contains(c.texts, text) {
			c.texts = append(c.texts, text)
		}
	}
}
