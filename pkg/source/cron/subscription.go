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
	"time"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// subscription implements source.Subscription for one trigger.
type subscription struct {
	plan
	options Options
}

// Key is unique to the trigger, because each trigger has its own last tick. It changes
// with the schedule and the time zone.
func (s subscription) Key() string { return s.plan.String() }

// Skip implements source.Subscription. A schedule skips no event.
func (subscription) Skip(event.Event, source.Delivery) source.Reason { return "" }

// UsesCheckpoint implements source.Subscription.
func (s subscription) UsesCheckpoint(name string) bool { return name == s.Key() }

// Warnings implements source.Warner.
func (s subscription) Warnings() diag.List { return s.warnings }

// Tick implements source.Ticker.
func (s subscription) Tick(now time.Time) event.Event { return s.event(now, now) }

// Watch implements source.Subscription. A schedule watches no objects.
func (subscription) Watch() *source.Watch { return nil }

// RehearseTicks implements source.TickRehearser. There are no missed ticks.
func (s subscription) RehearseTicks(start time.Time) source.TickFeed {
	return &rehearsal{plan: s.plan, position: start.UTC().Truncate(time.Second)}
}

// rehearsal makes the ticks of a plan.
type rehearsal struct {
	plan
	position time.Time
}

// Next implements source.TickFeed.
func (r *rehearsal) Next() time.Time {
	tick := r.schedule.next(r.position, r.position)
	if tick.IsZero() {
		return tick
	}
	return tick.Add(r.delay(tick))
}

// Tick implements source.TickFeed.
func (r *rehearsal) Tick() event.Event {
	r.position = r.schedule.next(r.position, r.position)
	return r.event(r.position, r.position.Add(r.delay(r.position)))
}

// Open implements source.Subscription.
func (s subscription) Open([]source.Subscription) source.Source {
	return &ticker{Options: s.options, plan: s.plan}
}
