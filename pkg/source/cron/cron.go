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

// Package cron is the source "cronjob": it emits an event at the times of a
// schedule.
//
//   - A tick is handled once. Which ticks were taken is stored before they are
//     delivered, and that they are done a moment after it; only a crash within
//     that moment repeats one.
//   - A tick that was taken is delivered again after a restart until it is
//     done, however late that is.
//   - Ticks that were missed are handled as Missed says: those of a time when
//     the process was down, the machine asleep, or the engine full.
//   - A trigger ticks from its first start on. One whose schedule or time zone
//     changes starts anew.
//   - Ticks of one trigger are handled in order.
//   - Across changes of the clock for daylight saving, ticks are those of
//     Kubernetes' CronJobs: a local time that does not exist is left out, one
//     that exists twice ticks twice.
//   - While the clock is behind the last tick, nothing ticks; a clock that is
//     set back by more than MaxAhead ticks again from then on.
//
// An event's ID is the same for the same trigger and tick. Its Data is
// `{schedule, timeZone, time, timeFired}`: time is the tick's own, in the time
// zone of the schedule, and timeFired the same in UTC.
package cron

import (
	"context"
	_ "embed"
	"time"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// Type is the name of the source, as triggers write it.
const Type = "cronjob"

const (
	// MaxMissed is how many missed ticks are handled at most.
	MaxMissed = 100
	// MissedAfter is how long after its time, and the jitter, a tick counts as missed.
	MissedAfter = 10 * time.Second
	// MaxJitter is the longest jitter.
	MaxJitter = time.Hour
	// MaxClockSkew is how far the last tick may be in the future without being taken
	// for the work of a wrong clock.
	MaxClockSkew = 3 * time.Hour
	// maxSleep is the longest that is waited without a look at the clock, which
	// goes on while the machine sleeps, and may be set.
	maxSleep = time.Minute
)

//go:embed properties.cue
var properties string

// Options is what sources of this package work with. Clock is required.
type Options struct {
	Clock clock.Clock
	// Checkpoints and Saver remember which ticks were taken, and are done. Where
	// they are nil, a trigger begins anew with the process.
	Checkpoints store.Checkpoints
	Saver       Saver
	// FromNow leaves out what was missed, and what was not done.
	FromNow bool
}

// Saver takes note of a change of a schedule, which follows those before, and
// returns at once. store.Saver is one.
type Saver interface {
	Save(watch string, c store.Change)
}

// New returns the compiler of this source's properties.
func New(o Options) source.Compiler {
	s := schema.NewLazy(properties)
	return func(given map[string]any, t source.Spec) (source.Subscription, diag.List) {
		p, problems := parse(s, given)
		if len(problems) > 0 {
			return nil, problems
		}
		p.trigger = t.TriggerRef
		return subscription{plan: p, options: o}, nil
	}
}

// Prune forgets the schedules that none of subscriptions, which are all that
// there are, stands for any more.
func Prune(ctx context.Context, r store.Checkpoints, subscriptions []source.Subscription) error {
	return store.Prune(ctx, r, source.Unused(Type, subscriptions), r.Delete)
}
