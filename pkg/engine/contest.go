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

	"github.com/kubevela/kube-trigger/pkg/event"
)

// mergeAfter is the number of waits of a contested object after which its updates are
// merged while they wait. Before that, they may still prove to be independent.
const mergeAfter = 3

// contests slows a trigger down on objects on which another client undoes each of its
// writes, such as an autoscaler that sets back the replicas: however long a turn takes, up
// to PauseMax, and while the trigger's other objects go on. When LoopLimit writes in a row
// were undone, the events of the object wait, and one is acted on after each wait.
//
// It is not a contest if the object's events come although no action runs: then the other
// client does not react to the trigger, and the next contest needs TrustFactor times as
// many writes.
//
// It is safe for concurrent use.
type contests struct {
	mu sync.Mutex
	// all are the objects with a write that was undone within TrustTime, by ordering key.
	all     map[string]*contest
	sweptAt time.Time
}

// contest is what is known of one object.
type contest struct {
	// undone is the last LoopDetector.Undone, which changed at seen, and before what is not
	// counted of it.
	undone, before int
	seen           time.Time
	// trust counts how often the events proved to be independent.
	trust int
	// turn is the time between two writes that were undone, before the first wait.
	turn time.Duration
	// waits counts the waits. since and due are the start and the end of the last one, and
	// backoff its duration.
	waits      int
	since, due time.Time
	backoff    time.Duration
	// arrived counts the events that came during the waits, from settled on, except those of
	// the last wait that are not merged. idle is that time, without the last wait.
	arrived int
	idle    time.Duration
}

// wait returns how long the events of key wait, and whether that has just begun. undone is
// LoopDetector.Undone of its event, and behind returns the number of its events behind
// that were received after a time.
func (c *contests) wait(key string, undone int, behind func(after time.Time) int, now time.Time) (wait time.Duration, started bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sweep(now)
	if undone == 0 {
		delete(c.all, key)
		return 0, false
	}
	o := c.all[key]
	switch {
	case o == nil || undone < o.undone:
		c.all[key] = &contest{undone: undone, before: undone - 1, seen: now}
		return 0, false
	case undone > o.undone && now.Sub(o.last()) > PauseMax:
		*o = contest{undone: undone, before: undone - 1, seen: now, trust: o.trust}
	case undone > o.undone:
		started = o.add(undone, behind, now)
	}
	if !now.Before(o.due) {
		return 0, false
	}
	if o.independent(behind, now) {
		*o = contest{undone: o.undone, before: o.undone, seen: o.seen, trust: min(o.trust+1, maxTrust)}
		return 0, false
	}
	return min(o.due.Sub(now), max(o.turn, minAloneWindow)), started
}

// add counts a write that was undone, and reports whether a wait begins.
func (o *contest) add(undone int, behind func(after time.Time) int, now time.Time) (started bool) {
	if o.waits == 0 {
		o.turn = now.Sub(o.seen)
	} else {
		o.arrived += behind(o.settled())
		o.idle += o.due.Sub(o.settled())
	}
	o.undone, o.seen = undone, now
	if o.undone-o.before < LoopLimit*trustFactor(o.trust) {
		return false
	}
	o.waits++
	o.backoff = min(max(PauseInitial, 2*minIndependent*o.turn, 2*o.backoff), PauseMax)
	o.since, o.due = now, now.Add(o.backoff)
	return true
}

// independent reports whether the events of the object come without actions, at the
// earlier rate.
func (o *contest) independent(behind func(after time.Time) int, now time.Time) bool {
	settled := o.settled()
	arrived := o.arrived + behind(settled)
	expected := float64(o.idle+max(now.Sub(settled), 0)) / float64(max(o.turn, time.Millisecond))
	return provesIndependence(arrived, expected)
}

// settled is when the effects of the trigger's last action, and of the write that undid
// it, have probably been seen.
func (o *contest) settled() time.Time {
	return o.since.Add(min(max(o.turn, minAloneWindow), o.backoff/2))
}

// last is when the object was contested last.
func (o *contest) last() time.Time {
	if o.due.After(o.seen) {
		return o.due
	}
	return o.seen
}

// merges reports whether updates of key are merged while they wait.
func (c *contests) merges(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.all[key]
	return o != nil && o.waits > mergeAfter
}

// observe tells of an event that was merged into one that waits.
func (c *contests) observe(key string, received time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := c.all[key]; o != nil && received.After(o.settled()) {
		o.arrived++
	}
}

// state returns the pause of the trigger t because of its contested objects, and whether
// there is one.
func (c *contests) state(t event.TriggerRef, now time.Time) (p Pause, paused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting := 0
	for key, o := range c.all {
		if !now.Before(o.due) {
			continue
		}
		if waiting++; waiting == 1 || o.due.Before(p.NextProbe) {
			p = Pause{Trigger: t, Object: key, Since: o.since, Turns: o.undone - o.before, NextProbe: o.due}
		}
	}
	p.Waiting = waiting
	return p, waiting > 0
}

// sweep forgets what is older than TrustTime, at most every LoopWindow.
func (c *contests) sweep(now time.Time) {
	if now.Sub(c.sweptAt) < LoopWindow {
		return
	}
	c.sweptAt = now
	for key, o := range c.all {
		if now.Sub(o.last()) > TrustTime {
			delete(c.all, key)
		}
	}
}
