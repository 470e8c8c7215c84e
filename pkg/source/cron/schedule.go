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

	// The time zone database is embedded, for images that have none.
	_ "time/tzdata"

	"github.com/robfig/cron/v3"
)

// schedule is a sequence of ticks at whole seconds.
type schedule interface {
	// next returns the first tick after t, or zero if there is none. anchor is a tick
	// or the start of the schedule; t must not be before it.
	next(anchor, t time.Time) time.Time
}

// calendarSchedule ticks at each time whose time of day and date in zone match the fields:
// not at a time that the clocks skip, and twice at one that they repeat.
type calendarSchedule struct {
	fields cron.SpecSchedule
	zone   *time.Location
}

// searchYears is the time in which a schedule ticks if it ever does: a leap day may be 8
// years away, as from 2096.
const searchYears = 10

func (c calendarSchedule) next(_, t time.Time) time.Time {
	// The library is right where the offset from UTC is constant, and may leave the day
	// that the fields name where it changes. So it is asked for the times between two
	// changes.
	for limit := t.AddDate(searchYears, 0, 0); t.Before(limit); {
		first := t.Truncate(time.Second).Add(time.Second).In(c.zone)
		name, offset := first.Zone()
		_, change := first.ZoneBounds()
		if !change.IsZero() && !change.After(first) {
			change = first.AddDate(0, 0, 1) // of the last day of a leap year Go knows no bounds
		}
		fields := c.fields
		fields.Location = time.FixedZone(name, offset)
		tick := fields.Next(t)
		if !tick.IsZero() && (change.IsZero() || tick.Before(change)) {
			return tick.UTC()
		}
		if change.IsZero() {
			t = t.AddDate(4, 0, 0) // less than what the library searches
		} else {
			t = change.Add(-time.Second)
		}
	}
	return time.Time{}
}

// intervalSchedule ticks in a fixed interval of whole seconds from the anchor.
type intervalSchedule time.Duration

func (i intervalSchedule) next(anchor, t time.Time) time.Time {
	n := t.Sub(anchor)/time.Duration(i) + 1
	return anchor.Add(n * time.Duration(i))
}

// lastTicks returns the last n ticks after low and not after high, oldest first. low is
// the anchor.
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

// lastTick returns the last tick after low and not after high, or zero if there is
// none.
func lastTick(s schedule, anchor, low, high time.Time) time.Time {
	notAfterHigh := func(t time.Time) bool { return !t.IsZero() && !t.After(high) }
	tick := s.next(anchor, low)
	if !notAfterHigh(tick) {
		return time.Time{}
	}
	// Bisection: there is a tick after from and not after high, and none after from
	// plus distance.
	from, distance := low, high.Sub(low)
	for distance > time.Second {
		half := distance / 2
		if t := s.next(anchor, from.Add(half)); notAfterHigh(t) {
			tick, from, distance = t, from.Add(half), distance-half
		} else {
			distance = half
		}
	}
	for t := tick; notAfterHigh(t); t = s.next(anchor, t) {
		tick = t
	}
	return tick
}

// parseSchedule parses a schedule in time zone zone. warnings say what is valid, and
// probably not meant.
func parseSchedule(text string, zone *time.Location) (s schedule, warnings []string, err error) {
	text = strings.TrimSpace(text)
	parser := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	switch words := strings.Fields(text); {
	case text == "":
		return nil, nil, fmt.Errorf("is empty; %s", validForms)
	case strings.HasPrefix(text, "@every"):
		s, err = parseEvery(text)
		return s, nil, err
	case strings.HasPrefix(text, "@"):
		if _, err := parser.Parse(text); err != nil {
			return nil, nil, fmt.Errorf("unknown schedule %q; %s", text, validForms)
		}
	case len(words) != 5 && len(words) != 6:
		return nil, nil, fmt.Errorf("%q has %d fields; %s", text, len(words), validForms)
	default:
		if warnings, err = checkFields(words); err != nil {
			return nil, nil, fmt.Errorf("%q: %w", text, err)
		}
	}
	parsed, err := parser.Parse(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%q: %w", text, err)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, nil, fmt.Errorf("unknown schedule %q; %s", text, validForms)
	}
	c := calendarSchedule{*spec, zone}
	if c.next(time.Time{}, time.Unix(0, 0).UTC()).IsZero() {
		return nil, nil, fmt.Errorf("%q never ticks", text)
	}
	if c.eitherDay() {
		warnings = append(warnings, eitherDay)
	}
	return c, warnings, nil
}

// eitherDay warns about a schedule with eitherDay.
const eitherDay = `ticks on the days of the month and on the days of the week, not only on days that are both; ` +
	`for these, leave "*" as day of week and add to the filter: time.FormatString("Monday", context.data.time) == "Tuesday"`

// eitherDay reports whether both day fields restrict the days. As in cron, one of them then
// has to match, and not both.
func (c calendarSchedule) eitherDay() bool {
	const star = 1 << 63 // in the library, marks a field that does not restrict
	return c.fields.Dom&star == 0 && c.fields.Dow&star == 0
}

// validForms describes the valid schedules.
const validForms = `must be five fields (minute, hour, day of month, month, day of week), six with seconds first, ` +
	`"@every 1h30m", or @hourly, @daily, @weekly, @monthly or @yearly`

// checkFields returns an error that names the invalid field, and what is valid, and probably
// not meant.
func checkFields(words []string) (warnings []string, err error) {
	fields := scheduleFields()[6-len(words):]
	for i, word := range words {
		elements, err := fields[i].parse(word)
		if err != nil && len(words) == 6 {
			err = fmt.Errorf("%w; of six fields, the first is the second", err)
		}
		if err != nil {
			return nil, err
		}
		if w := fields[i].warning(elements); w != "" {
			warnings = append(warnings, w)
		}
	}
	return warnings, nil
}

func parseEvery(text string) (schedule, error) {
	interval := strings.TrimSpace(strings.TrimPrefix(text, "@every"))
	d, err := time.ParseDuration(interval)
	if err != nil {
		return nil, fmt.Errorf(`%q: invalid duration %q; must be a duration such as "1h30m"`, text, interval)
	}
	if d < time.Second || d%time.Second != 0 {
		return nil, fmt.Errorf("%q: must be a whole number of seconds, at least 1s", text)
	}
	return intervalSchedule(d), nil
}
