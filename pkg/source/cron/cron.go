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

// Package cron is the source "cronjob": it emits an event at the times of a schedule.
//
//   - Each tick is handled once. A tick is stored before it is delivered, and its ack
//     is stored shortly after; only a crash in between repeats a tick.
//   - A stored tick is delivered again after a restart until it is acknowledged, however
//     late that is.
//   - Ticks are missed while the process is down, the machine sleeps or the engine is
//     full. The property missed selects which of them are handled.
//   - A trigger's first tick is the first one after its first start. A change of its
//     schedule or time zone restarts it.
//   - Ticks of one trigger are handled in order.
//   - When the clock changes for daylight saving, ticks are those of a Kubernetes
//     CronJob: a local time that does not exist has no tick, one that exists twice has
//     two.
//   - There are no ticks while the clock is behind the last tick. If the clock is set
//     back by more than MaxClockSkew, the schedule restarts.
//
// An event's ID is the same for the same trigger and tick. Its Data is
// `{schedule, timeZone, time, timeFired}`: time is the scheduled time in the schedule's
// time zone, timeFired the same time in UTC.
package cron

import (
	_ "embed"
	"time"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// Type is the source's type in triggers.
const Type = "cronjob"

const (
	// MaxMissed limits the missed ticks that are handled.
	MaxMissed = 100
	// MissedAfter is the delay after the scheduled time and the jitter from which on a
	// tick counts as missed.
	MissedAfter = 10 * time.Second
	// MaxJitter limits the property jitter.
	MaxJitter = time.Hour
	// MaxClockSkew limits how far the last tick may be in the future. Beyond it, the
	// clock is assumed to have been wrong.
	MaxClockSkew = 3 * time.Hour
	// maxSleep limits the time between two readings of the clock, because timers stop
	// while the machine sleeps and the clock may be set.
	maxSleep = time.Minute
)

//go:embed properties.cue
var properties string

// Options configure this source. Clock is required to run.
type Options struct {
	Clock clock.Clock
	// Checkpoints and Saver persist the ticks of each trigger. If they are nil, the
	// schedules restart with the process.
	Checkpoints store.Checkpoints
	Saver       store.Saver
	// FromNow discards missed ticks and ticks that are not acknowledged.
	FromNow bool
}

// New returns the factory of this source's properties.
func New(o Options) source.Factory {
	s := schema.NewLazy(properties)
	return source.Factory{Properties: properties, Capabilities: source.Capabilities{Independent: true, Objectless: true, Form: form()}, Compile: func(given map[string]any, t source.Spec) (source.Subscription, diag.List) {
		p, diags := parse(s, given)
		if len(diags) > 0 {
			return nil, diags
		}
		p.trigger = t.TriggerRef
		return subscription{plan: p, options: o}, nil
	}}
}
