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

package engine

import (
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// absorbEvery is the number of events after which a waiting key that merges events
// is woken, so that they free their slots early.
const absorbEvery = 8

// queue holds the tasks of one trigger by key. The tasks of a key are handled in
// order, one at a time; keys that are ready are handled in turn by a limited number
// of workers. A key that waits needs no worker. It is safe for concurrent use.
type queue struct {
	clock      clock.WithDelayedExecution
	maxWorkers int
	// startWorker starts a goroutine that handles tasks until next returns nil.
	startWorker func()
	// active counts the keys that become ready.
	active *activity

	mu      sync.Mutex
	keys    map[string]*keyQueue
	ready   readyQueue
	workers int
	// paused is true while no task may start; closed is set by close.
	paused, closed bool
}

// keyQueue holds the tasks of one key. At most one worker runs it at a time. It is
// removed when it is empty.
type keyQueue struct {
	key        string
	head, tail *Task
	// next is the key queue behind this one in the ready queue.
	next *keyQueue
	// running is true while a worker handles the head.
	running bool
	// timer is set while the key waits. Each wait has its own waitID.
	timer  clock.Timer
	waitID int
	// absorbing is true while it waits for events to merge; pending counts those
	// that were pushed meanwhile.
	absorbing bool
	pending   int
}

// push appends t to the queue of its key. It returns false if the queue is closed.
func (q *queue) push(t *Task) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.appendTo(t.Event().OrderingKey(), t)
	return true
}

// move moves t, which next returned, behind the tasks of another key. It returns false,
// and removes t, if the queue is closed.
func (q *queue) move(t *Task, key string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	k := t.key
	k.running = false
	if k.pop(); k.head == nil {
		delete(q.keys, k.key)
	} else {
		q.ready.push(k) // this worker continues with next
	}
	if !q.closed {
		q.appendTo(key, t)
	}
	return !q.closed
}

// appendTo appends t to the queue of key. The lock is held.
func (q *queue) appendTo(key string, t *Task) {
	if k, ok := q.keys[key]; ok {
		k.append(t)
		if k.pending++; k.pending >= absorbEvery && k.absorbing && k.timer != nil {
			k.timer.Stop()
			q.makeReady(k)
		}
		return
	}
	k := &keyQueue{key: key}
	k.append(t)
	q.keys[key] = k
	q.makeReady(k)
}

// makeReady appends k to the ready queue, and starts a worker if there are fewer
// than the maximum. The lock is held.
func (q *queue) makeReady(k *keyQueue) {
	k.timer = nil
	q.ready.push(k)
	q.addWorker()
}

func (q *queue) addWorker() {
	if q.workers < q.maxWorkers && !q.paused {
		q.workers++
		q.startWorker()
	}
}

// next returns the first task of the key that has been ready the longest. Nil ends
// the worker.
func (q *queue) next() *Task {
	q.mu.Lock()
	defer q.mu.Unlock()
	var k *keyQueue
	if !q.paused {
		k = q.ready.pop()
	}
	if k == nil {
		q.workers--
		return nil
	}
	k.running = true
	return k.head
}

// done removes t, which next returned.
func (q *queue) done(t *Task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	k := t.key
	k.running = false
	if k.pop(); k.head == nil {
		delete(q.keys, k.key)
		return
	}
	q.ready.push(k) // No new worker is needed: this one continues with next.
}

// retryAfter makes t, which next returned, the next task of its key after wait. It
// returns false, and removes the key, if the queue is closed.
func (q *queue) retryAfter(t *Task, wait time.Duration, absorbing bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	k := t.key
	k.running = false
	if q.closed {
		delete(q.keys, k.key)
		return false
	}
	k.absorbing, k.pending = absorbing, 0
	k.waitID++
	id := k.waitID
	k.timer = after(q.clock, q.active, wait, func() { q.wake(k, id) })
	return true
}

// wake makes k ready when its wait with that ID is over.
func (q *queue) wake(k *keyQueue, id int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed && k.timer != nil && k.waitID == id {
		q.makeReady(k)
	}
}

// wakeAbsorbing makes the keys ready that wait for events to merge.
func (q *queue) wakeAbsorbing() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	for _, k := range q.keys {
		if k.absorbing && k.timer != nil {
			k.timer.Stop()
			q.makeReady(k)
		}
	}
}

// behind returns the task behind t, which next returned; nil if there is none.
func (q *queue) behind(t *Task) *Task {
	q.mu.Lock()
	defer q.mu.Unlock()
	return t.next
}

// countBehind returns the number of events of the object key that wait behind t, which next
// returned, and were received after a time.
func (q *queue) countBehind(t *Task, key string, after time.Time) (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for b := t.next; b != nil; b = b.next {
		if b.received.After(after) && b.Event().OrderingKey() == key {
			n++
		}
	}
	return n
}

// remove removes next, which is behind t. It returns false if it no longer is.
func (q *queue) remove(t, next *Task) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.next != next { // the queue was closed
		return false
	}
	t.next, next.next = next.next, nil
	if t.key.tail == next {
		t.key.tail = t
	}
	return true
}

// setPaused stops or resumes starting tasks.
func (q *queue) setPaused(paused bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.paused = paused
	if paused || q.closed {
		return
	}
	for range min(q.ready.len(), q.maxWorkers-q.workers) {
		q.addWorker()
	}
}

// close removes and returns the tasks that no worker handles. Workers end after
// their current task.
func (q *queue) close() []*Task {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.ready = readyQueue{}
	var removed []*Task
	for key, k := range q.keys {
		t := k.head
		if k.running {
			t, k.head.next, k.tail = k.head.next, nil, k.head
		} else {
			delete(q.keys, key)
		}
		if k.timer != nil {
			k.timer.Stop()
		}
		for ; t != nil; t = t.next {
			removed = append(removed, t)
		}
	}
	return removed
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// heads returns the first task of each key.
func (q *queue) heads() []*Task {
	q.mu.Lock()
	defer q.mu.Unlock()
	heads := make([]*Task, 0, len(q.keys))
	for _, k := range q.keys {
		heads = append(heads, k.head)
	}
	return heads
}

func (k *keyQueue) append(t *Task) {
	t.key = k
	if k.head == nil {
		k.head = t
	} else {
		k.tail.next = t
	}
	k.tail = t
}

// pop removes the head. It unlinks the removed task, because a delivery may keep
// it alive, and with it all tasks behind it.
func (k *keyQueue) pop() {
	k.head, k.head.next = k.head.next, nil
}

// readyQueue is a FIFO queue of the keys that wait for a worker.
type readyQueue struct {
	head, tail *keyQueue
}

func (r *readyQueue) push(k *keyQueue) {
	if r.head == nil {
		r.head = k
	} else {
		r.tail.next = k
	}
	r.tail = k
}

// pop returns the first key, or nil if there is none.
func (r *readyQueue) pop() *keyQueue {
	k := r.head
	if k != nil {
		r.head, k.next = k.next, nil
	}
	return k
}

func (r *readyQueue) len() (n int) {
	for k := r.head; k != nil; k = k.next {
		n++
	}
	return n
}

// after runs f in its own goroutine after d, as the real clock's AfterFunc does, and counts it
// in a. The fake clock's runs f while it holds the clock's lock.
func after(c clock.WithDelayedExecution, a *activity, d time.Duration, f func()) clock.Timer {
	return c.AfterFunc(d, func() {
		a.add()
		go func() {
			defer a.remove()
			f()
		}()
	})
}
