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

package rehearsal

import (
	"container/heap"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// Clock is a clock that stands still until it is advanced. It implements
// clock.WithDelayedExecution and is safe for concurrent use.
type Clock struct {
	mu     sync.Mutex
	now    time.Time
	timers timers
	// count orders timers of the same time.
	count int
}

var _ clock.WithDelayedExecution = (*Clock)(nil)

// NewClock returns a clock that shows now.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now implements clock.PassiveClock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Since implements clock.PassiveClock.
func (c *Clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// Next returns the time of the first timer, or false if there is none.
func (c *Clock) Next() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.timers) == 0 {
		return time.Time{}, false
	}
	return c.timers[0].at, true
}

// AdvanceTo sets the time, unless it is before now, and runs what is due by then, in order.
func (c *Clock) AdvanceTo(t time.Time) {
	for c.fireNext(t) {
	}
}

// fireNext runs the first of what is due by t, at its time, or else sets the time to t and
// returns false.
func (c *Clock) fireNext(t time.Time) bool {
	c.mu.Lock()
	if len(c.timers) == 0 || c.timers[0].at.After(t) {
		if t.After(c.now) {
			c.now = t
		}
		c.mu.Unlock()
		return false
	}
	due, _ := heap.Pop(&c.timers).(*timer)
	if due.at.After(c.now) {
		c.now = due.at
	}
	c.mu.Unlock()
	due.fire(due.at)
	return true
}

// AfterFunc implements clock.WithDelayedExecution. f runs within AdvanceTo.
func (c *Clock) AfterFunc(d time.Duration, f func()) clock.Timer {
	return c.add(&timer{clock: c, index: -1, fire: func(time.Time) { f() }}, d)
}

// NewTimer implements clock.Clock.
func (c *Clock) NewTimer(d time.Duration) clock.Timer {
	t := &timer{clock: c, index: -1, channel: make(chan time.Time, 1)}
	t.fire = func(at time.Time) { t.channel <- at }
	return c.add(t, d)
}

func (c *Clock) add(t *timer, d time.Duration) clock.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	t.at, t.order = c.now.Add(d), c.count
	heap.Push(&c.timers, t)
	return t
}

// After implements clock.Clock.
func (c *Clock) After(d time.Duration) <-chan time.Time { return c.NewTimer(d).C() }

// Sleep implements clock.Clock.
func (c *Clock) Sleep(d time.Duration) { <-c.After(d) }

// Tick implements clock.Clock. It ticks once.
func (c *Clock) Tick(d time.Duration) <-chan time.Time { return c.After(d) }

// timer implements clock.Timer.
type timer struct {
	clock   *Clock
	at      time.Time
	order   int
	fire    func(at time.Time)
	channel chan time.Time
	// index is that in the heap; -1 if it is not there.
	index int
}

// C implements clock.Timer.
func (t *timer) C() <-chan time.Time { return t.channel }

// Stop implements clock.Timer.
func (t *timer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	if t.index < 0 {
		return false
	}
	heap.Remove(&t.clock.timers, t.index)
	return true
}

// Reset implements clock.Timer.
func (t *timer) Reset(d time.Duration) bool {
	active := t.Stop()
	t.clock.add(t, d)
	return active
}

// timers is a heap of timers by time.
type timers []*timer

func (t timers) Len() int { return len(t) }

func (t timers) Less(i, j int) bool {
	return t[i].at.Before(t[j].at) || t[i].at.Equal(t[j].at) && t[i].order < t[j].order
}

func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].index, t[j].index = i, j
}

// Push implements heap.Interface.
func (t *timers) Push(x any) {
	added, _ := x.(*timer)
	added.index = len(*t)
	*t = append(*t, added)
}

// Pop implements heap.Interface.
func (t *timers) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	last.index = -1
	return last
}
