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
	"fmt"
	"strings"
	"time"

	// Time zones are known wherever the program runs, also in an image without
	// files.
	_ "time/tzdata"

	"github.com/robfig/cron/v3"
)

// schedule is a set of times, all of whole seconds.
type schedule interface {
	// next returns the first tick after t, zero where there is none. anchor is
	// a tick, or where the first one is counted from; t is not before it.
	next(anchor, t time.Time) time.Time
}

// calendarSchedule is a schedule by the calendar.
type calendarSchedule struct{ *cron.SpecSchedule }

func (f calendarSchedule) next(_, t time.Time) time.Time { return f.Next(t.UTC()) }

// intervalSchedule is a schedule by a distance of whole seconds.
type intervalSchedule time.Duration

func (e intervalSchedule) next(anchor, t time.Time) time.Time {
	n := t.Sub(anchor)/time.Duration(e) + 1
	return anchor.Add(n * time.Duration(e))
}

// lastTicks returns the last n ticks after low, which is the anchor, up to high,
// oldest first.
func lastTicks(s schedule, low, high time.Time, n int) []time.Time {
	ticks := make([]time.Time, n)
	i := n
	for anchor := low; i > 0; i-- {
		tick := lastTick(s, anchor, low, high)
		if tick.IsZero() {
			break
		}
		ticks[i-1] = tick
		high = tick.Add(-time.Second)
	}
	return ticks[i:]
}

// lastTick returns the last tick after low up to high, zero where there is none.
func lastTick(s schedule, anchor, low, high time.Time) time.Time {
	within := func(t time.Time) bool { return !t.IsZero() && !t.After(high) }
	tick := s.next(anchor, low)
	if !within(tick) {
		return time.Time{}
	}
	// There is a tick up to high after from, and none after from plus distance.
	from, distance := low, high.Sub(low)
	for distance > time.Second {
		half := distance / 2
		if t := s.next(anchor, from.Add(half)); within(t) {
			tick, from, distance = t, from.Add(half), distance-half
		} else {
			distance = half
		}
	}
	for t := tick; within(t); t = s.next(anchor, t) {
		tick = t
	}
	return tick
}

// fieldNames are those of the fields, seconds first.
func fieldNames() []string {
	return []string{"second", "minute", "hour", "day of month", "month", "day of week"}
}

// parseSchedule reads a schedule whose time zone is zone.
func parseSchedule(text string, zone *time.Location) (schedule, error) {
	text = strings.TrimSpace(text)
	parser := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	switch words := strings.Fields(text); {
	case text == "":
		return nil, fmt.Errorf("is empty; %s", validForms)
	case strings.HasPrefix(text, "@every"):
		return parseEvery(text)
	case strings.HasPrefix(text, "@"):
		if _, err := parser.Parse(text); err != nil {
			return nil, fmt.Errorf("%q is not known; %s", text, validForms)
		}
	case len(words) != 5 && len(words) != 6:
		return nil, fmt.Errorf("%q has %d fields; %s", text, len(words), validForms)
	default:
		if err := checkFields(parser, words); err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
	}
	parsed, err := parser.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("%q is not known; %s", text, validForms)
	}
	spec.Location = zone
	if spec.Next(time.Unix(0, 0).UTC()).IsZero() {
		return nil, fmt.Errorf("%q never ticks", text)
	}
	return calendarSchedule{spec}, nil
}

// validForms says what a schedule may be.
const validForms = `it must be five fields (minute, hour, day of month, month, day of week), six with seconds first, ` +
	`"@every 1h30m", or @hourly, @daily, @weekly, @monthly or @yearly`

// checkFields says which field is wrong.
func checkFields(parser cron.Parser, words []string) error {
	named := fieldNames()[6-len(words):]
	for i, word := range words {
		alone := strings.Fields("* * * * * *")[:len(words)]
		alone[i] = word
		if _, err := parser.Parse(strings.Join(alone, " ")); err != nil {
			return fmt.Errorf("%s %q: %s", named[i], word, strings.TrimSuffix(err.Error(), ": "+word))
		}
	}
	return nil
}

func parseEvery(text string) (schedule, error) {
	given := strings.TrimSpace(strings.TrimPrefix(text, "@every"))
	d, err := time.ParseDuration(given)
	if err != nil {
		return nil, fmt.Errorf(`%q: %q is not a duration such as "1h30m"`, text, given)
	}
	if d < time.Second || d%time.Second != 0 {
		return nil, fmt.Errorf("%q: must be whole seconds, 1s or more", text)
	}
	return intervalSchedule(d), nil
}
