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

package fair

import (
	"slices"
	"time"

	"k8s.io/client-go/util/workqueue"
)

// Queue is a queue whose items have keys, such as namespaces. Keys take turns; the items of
// a key are first in, first out. As the queue of a workqueue it is called under the
// workqueue's lock: it is not safe for concurrent use itself.
type Queue[T comparable] struct {
	key func(T) string
	// use returns what a key has used: keys that have used less come first. Nil if all have
	// used the same.
	use func(key string) time.Duration
	// items are the waiting items of each key in turns, the keys in the order in which they
	// are served.
	items map[string][]T
	turns []string
	n     int
}

var _ workqueue.Queue[string] = (*Queue[string])(nil)

// NewQueue returns a queue for items whose key is key.
func NewQueue[T comparable](key func(T) string) *Queue[T] {
	return &Queue[T]{key: key, items: map[string][]T{}}
}

// Push adds an item.
func (q *Queue[T]) Push(item T) {
	key := q.key(item)
	if len(q.items[key]) == 0 {
		q.turns = append(q.turns, key)
	}
	q.items[key] = append(q.items[key], item)
	q.n++
}

// Touch is called when an item that waits is added again. It keeps its place.
func (q *Queue[T]) Touch(T) {}

// Len returns the number of items.
func (q *Queue[T]) Len() int { return q.n }

// Pop removes the next item and returns it. The queue must not be empty.
func (q *Queue[T]) Pop() T {
	next := 0
	if q.use != nil {
		least := q.use(q.turns[0])
		for i, key := range q.turns {
			if used := q.use(key); used < least {
				next, least = i, used
			}
		}
	}
	key := q.turns[next]
	q.turns = slices.Delete(q.turns, next, next+1)
	item := q.items[key][0]
	q.set(key, q.items[key][1:])
	if len(q.items[key]) > 0 {
		q.turns = append(q.turns, key)
	}
	return item
}

// remove removes an item. It returns false if the item does not wait.
func (q *Queue[T]) remove(item T) bool {
	key := q.key(item)
	i := slices.Index(q.items[key], item)
	if i < 0 {
		return false
	}
	q.set(key, slices.Delete(slices.Clone(q.items[key]), i, i+1))
	if len(q.items[key]) == 0 {
		q.turns = slices.DeleteFunc(q.turns, func(k string) bool { return k == key })
	}
	return true
}

// set sets the items of a key after one was taken.
func (q *Queue[T]) set(key string, items []T) {
	q.n--
	if len(items) == 0 {
		delete(q.items, key)
		return
	}
	q.items[key] = items
}
