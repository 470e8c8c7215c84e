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

package cron

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// missedPolicy is what to do about ticks that were missed.
type missedPolicy string

const (
	missedLatest missedPolicy = "latest"
	missedAll    missedPolicy = "all"
)

// limit returns how many missed ticks are handled.
func (m missedPolicy) limit() int {
	switch m {
	case missedLatest:
		return 1
	case missedAll:
		return MaxMissed
	}
	return 0
}

// plan is when a trigger ticks.
type plan struct {
	trigger    event.TriggerRef
	expression string
	schedule   schedule
	zone       *time.Location
	jitter     time.Duration
	missed     missedPolicy
	// deadline is how late a tick may be; 0 where that does not matter.
	deadline time.Duration
}

// String names the plan, and changes where its ticks do.
func (p plan) String() string {
	return fmt.Sprintf("%s:%s %s %s", Type, p.trigger, p.zone, p.expression)
}

// dueTicks is what a plan says about a time.
type dueTicks struct {
	// ticks are to be handled now, in their order.
	ticks []time.Time
	// position is the last tick that is decided about.
	position time.Time
	// next is when there is something to decide again; zero for never.
	next time.Time
	// missed is the number of ticks that are handled although they were missed;
	// left says that others were left out.
	missed  int
	skipped bool
}

// due decides about the ticks after position, up to now.
func (p plan) due(position, now time.Time) dueTicks {
	d := dueTicks{position: position}
	d.addMissed(p, now)
	for len(d.ticks) < MaxMissed {
		tick := p.schedule.next(d.position, d.position)
		if tick.IsZero() {
			return d
		}
		d.next = tick.Add(p.delay(tick))
		if d.next.After(now) {
			return d
		}
		d.add(p, tick, now)
		d.position = tick
	}
	d.next = now
	return d
}

// addMissed decides about the ticks that were missed.
func (d *dueTicks) addMissed(p plan, now time.Time) {
	high := now.Add(-p.jitter - MissedAfter)
	ticks := lastTicks(p.schedule, d.position, high, max(p.missed.limit(), 1))
	if len(ticks) == 0 {
		return
	}
	before := p.schedule.next(d.position, d.position)
	d.skipped = p.missed.limit() == 0 || before.Before(ticks[0])
	d.position = ticks[len(ticks)-1]
	if p.missed.limit() == 0 {
		return
	}
	for _, tick := range ticks {
		d.add(p, tick, now)
	}
	d.missed = len(d.ticks)
}

// add adds a tick unless it is past its deadline.
func (d *dueTicks) add(p plan, tick, now time.Time) {
	if p.deadline > 0 && now.Sub(tick.Add(p.delay(tick))) > p.deadline {
		d.skipped = true
		return
	}
	d.ticks = append(d.ticks, tick)
}

// delay returns how long after its time a tick is due: the same whenever it is
// asked for, and different for other triggers and ticks.
func (p plan) delay(tick time.Time) time.Duration {
	if p.jitter == 0 {
		return 0
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s@%d", p.trigger, tick.Unix()))
	return time.Duration(binary.BigEndian.Uint64(sum[:]) % uint64(p.jitter))
}

// event returns the event of a tick, seen now.
func (p plan) event(tick, now time.Time) event.Event {
	text := tick.UTC().Format(time.RFC3339)
	return event.Event{
		Source: Type,
		Type:   "tick",
		ID:     fmt.Sprintf("%s/%s@%s", Type, p.trigger, text),
		Key:    p.trigger.String(),
		Data: map[string]any{
			"schedule":  p.expression,
			"timeZone":  p.zone.String(),
			"time":      tick.In(p.zone).Format(time.RFC3339),
			"timeFired": text,
		},
		Time: now,
	}
}
