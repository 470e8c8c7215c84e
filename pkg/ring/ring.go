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

// Package ring is a ring buffer.
package ring

import "iter"

// Buffer keeps the last values that were added. It is not safe for concurrent use.
type Buffer[T any] struct {
	values []T
	// next is the index of the oldest value, once the buffer is full.
	next int
}

// Add adds value. If the buffer has size values or more, it removes the oldest, and
// returns it and true.
func (b *Buffer[T]) Add(value T, size int) (oldest T, removed bool) {
	if len(b.values) < size {
		b.values = append(b.values, value)
		return oldest, false
	}
	oldest, b.values[b.next] = b.values[b.next], value
	b.next = (b.next + 1) % len(b.values)
	return oldest, true
}

// Oldest returns the value that the next Add removes, if it removes one.
func (b *Buffer[T]) Oldest(size int) (oldest T, full bool) {
	if len(b.values) < size {
		return oldest, false
	}
	return b.values[b.next], true
}

// All returns the values, the oldest first.
func (b *Buffer[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		for i := range b.values {
			if !yield(b.values[(b.next+i)%len(b.values)]) {
				return
			}
		}
	}
}
