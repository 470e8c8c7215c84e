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
	"archive/zip"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// zoneSchedules are schedules, with functions that report whether they tick at a local
// minute.
func zoneSchedules() map[string]func(local time.Time) bool {
	at := func(hour, minute int) func(time.Time) bool {
		return func(l time.Time) bool { return l.Hour() == hour && l.Minute() == minute }
	}
	both := func(a func(time.Time) bool, b func(time.Time) bool) func(time.Time) bool {
		return func(l time.Time) bool { return a(l) && b(l) }
	}
	weekday := func(d time.Weekday) func(time.Time) bool {
		return func(l time.Time) bool { return l.Weekday() == d }
	}
	return map[string]func(time.Time) bool{
		"0 0 * * *":       at(0, 0),
		"30 0 * * *":      at(0, 30),
		"0 3 * * thu":     both(weekday(time.Thursday), at(3, 0)),
		"0 9 * * sat":     both(weekday(time.Saturday), at(9, 0)),
		"59 23 * * sun":   both(weekday(time.Sunday), at(23, 59)),
		"30 3 23-29 * *":  both(func(l time.Time) bool { return l.Day() >= 23 && l.Day() <= 29 }, at(3, 30)),
		"30 2 * * *":      at(2, 30),
		"15,45 1-3 * * *": func(l time.Time) bool { return l.Hour() >= 1 && l.Hour() <= 3 && l.Minute()%30 == 15 },
		"0 */2 * * *":     func(l time.Time) bool { return l.Hour()%2 == 0 && l.Minute() == 0 },
		"*/10 * * * *":    func(l time.Time) bool { return l.Minute()%10 == 0 },
		"0 0 1 * *":       both(func(l time.Time) bool { return l.Day() == 1 }, at(0, 0)),
		"0 12 8 * mon":    both(func(l time.Time) bool { return l.Day() == 8 || l.Weekday() == time.Monday }, at(12, 0)),
	}
}

// zoneNames returns the names of all zones of the time zone database.
func zoneNames(t *testing.T) []string {
	t.Helper()
	archive, err := zip.OpenReader(filepath.Join(runtime.GOROOT(), "lib", "time", "zoneinfo.zip")) //nolint:staticcheck // the toolchain that runs the test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = archive.Close() }) // it was only read
	var names []string
	for _, f := range archive.File {
		if !strings.HasSuffix(f.Name, "/") {
			names = append(names, f.Name)
		}
	}
	return names
}

// TestSchedule_Zones compares the ticks around each change of each zone's clocks within ten
// years with a walk that looks at every minute.
func TestSchedule_Zones(t *testing.T) {
	begin := instant(t, "2026-01-01T00:00:00Z")
	seen := map[string]bool{}
	changes := 0
	for _, name := range zoneNames(t) {
		z := zone(t, name)
		for _, change := range changesOf(z, begin, begin.AddDate(10, 0, 0)) {
			_, before := change.Add(-time.Second).In(z).Zone()
			_, after := change.In(z).Zone()
			if key := fmt.Sprint(change.Unix(), before, after); !seen[key] {
				seen[key] = true
				changes++
				compareWithWalk(t, name, z, change.AddDate(0, 0, -3), change.AddDate(0, 0, 3))
			}
		}
	}
	if changes < 200 {
		t.Errorf("%d different changes, want at least 200", changes)
	}
}

// changesOf returns the times between begin and end at which the clocks of z change.
func changesOf(z *time.Location, begin, end time.Time) []time.Time {
	var out []time.Time
	for {
		_, change := begin.In(z).ZoneBounds()
		if change.IsZero() || change.After(end) {
			return out
		}
		out = append(out, change.UTC())
		begin = change
	}
}

func compareWithWalk(t *testing.T, name string, z *time.Location, begin, end time.Time) {
	t.Helper()
	begin = begin.Truncate(time.Minute)
	want := map[string][]time.Time{}
	schedules := zoneSchedules()
	for now := begin.Add(time.Minute); !now.After(end); now = now.Add(time.Minute) {
		local := now.In(z)
		for text, ticks := range schedules {
			if local.Second() == 0 && ticks(local) {
				want[text] = append(want[text], now)
			}
		}
	}
	for text := range schedules {
		s := mustParse(t, text, z)
		var got []time.Time
		for tick := s.next(begin, begin); !tick.After(end); tick = s.next(begin, tick) {
			got = append(got, tick)
		}
		if !slices.EqualFunc(want[text], got, time.Time.Equal) {
			t.Errorf("%s in %s from %s: got %v, want %v", text, name, begin, got, want[text])
		}
	}
}

// TestSchedule_LeapDay ticks on the next leap day, also across a year without one.
func TestSchedule_LeapDay(t *testing.T) {
	start := instant(t, "2096-03-01T00:00:00Z")
	if got := mustParse(t, "0 0 29 2 *", zone(t, "Europe/Berlin")).next(start, start); got.Year() != 2104 {
		t.Errorf("got %v, want a tick in 2104", got)
	}
}
