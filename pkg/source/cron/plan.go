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

	"github.com/kubevela/kube-trigger/pkg/datatype"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// missedPolicy is the property missed.
type missedPolicy string

const (
	missedLatest missedPolicy = "latest"
	missedAll    missedPolicy = "all"
)

// limit returns the maximum number of missed ticks that are handled.
func (m missedPolicy) limit() int {
	switch m {
	case missedLatest:
		return 1
	case missedAll:
		return MaxMissed
	}
	return 0
}

// plan holds the checked properties of one trigger.
type plan struct {
	trigger    event.TriggerRef
	expression string
	schedule   schedule
	zone       *time.Location
	jitter     time.Duration
	missed     missedPolicy
	// deadline is the maximum delay of a tick; 0 for none.
	deadline time.Duration
	// warnings are about properties that are valid, and probably not meant.
	warnings diag.List
}

// String identifies the plan in the store. It changes with the schedule and the time
// zone.
func (p plan) String() string {
	return fmt.Sprintf("%s:%s %s %s", Type, p.trigger, p.zone, p.expression)
}

// dueTicks are the ticks of a plan that are due at a time.
type dueTicks struct {
	// ticks are handled now, in order.
	ticks []time.Time
	// position is the last tick that is due, whether it is handled or skipped.
	position time.Time
	// next is the time at which the next tick is due; zero for never.
	next time.Time
	// missed is the number of missed ticks in ticks; skipped reports whether others
	// are not handled.
	missed  int
	skipped bool
}

// due returns the ticks after position that are due at now, at most MaxMissed, and those
// that were missed as the policy selects them.
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

// addMissed adds the missed ticks that the policy selects, and skips the others.
func (d *dueTicks) addMissed(p plan, now time.Time) {
	high := now.Add(-p.jitter - MissedAfter)
	ticks := lastTicks(p.schedule, d.position, high, max(p.missed.limit(), 1))
	if len(ticks) == 0 {
		return
	}
	first := p.schedule.next(d.position, d.position)
	d.skipped = p.missed.limit() == 0 || first.Before(ticks[0])
	d.position = ticks[len(ticks)-1]
	if p.missed.limit() == 0 {
		return
	}
	for _, tick := range ticks {
		d.add(p, tick, now)
	}
	d.missed = len(d.ticks)
}

// add adds a tick, or skips it if it is past its deadline.
func (d *dueTicks) add(p plan, tick, now time.Time) {
	if p.deadline > 0 && now.Sub(tick.Add(p.delay(tick))) > p.deadline {
		d.skipped = true
		return
	}
	d.ticks = append(d.ticks, tick)
}

// delay returns the jitter of a tick: a hash of the trigger and the tick, below p.jitter.
func (p plan) delay(tick time.Time) time.Duration {
	if p.jitter == 0 {
		return 0
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s@%d", p.trigger, tick.Unix()))
	return time.Duration(binary.BigEndian.Uint64(sum[:]) % uint64(p.jitter))
}

const eventType = "tick"

// form returns the form of the events.
func form() event.Form {
	return event.Form{Types: []string{eventType}, Data: datatype.Object(map[string]datatype.Type{
		"schedule":  datatype.Of(datatype.String),
		"timeZone":  datatype.Of(datatype.String),
		"time":      {Kinds: datatype.String, Format: datatype.Time},
		"timeFired": {Kinds: datatype.String, Format: datatype.Time},
	})}
}

// event returns the event of a tick that is delivered at now.
func (p plan) event(tick, now time.Time) event.Event {
	text := tick.UTC().Format(time.RFC3339)
	return event.Event{
		Source: Type,
		Type:   eventType,
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
