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
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func mustParse(t testing.TB, text string, z *time.Location) schedule {
	t.Helper()
	s, _, err := parseSchedule(text, z)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.UTC()
}

// TestSchedule_DaylightSaving expects the times at which a Kubernetes CronJob with this
// schedule and timeZone runs.
func TestSchedule_DaylightSaving(t *testing.T) {
	for _, tc := range []struct{ name, schedule, zone, from, want string }{
		{"forward in gap", "30 2 * * *", "America/New_York", "2026-03-07T12:00:00-05:00",
			"2026-03-09T02:30:00-04:00 2026-03-10T02:30:00-04:00"},
		{"forward hourly", "0 * * * *", "America/New_York", "2026-03-08T00:30:00-05:00",
			"2026-03-08T01:00:00-05:00 2026-03-08T03:00:00-04:00 2026-03-08T04:00:00-04:00"},
		{"back in repetition", "30 1 * * *", "America/New_York", "2026-10-31T12:00:00-04:00",
			"2026-11-01T01:30:00-04:00 2026-11-01T01:30:00-05:00 2026-11-02T01:30:00-05:00"},
		{"back hourly", "0 * * * *", "America/New_York", "2026-11-01T00:30:00-04:00",
			"2026-11-01T01:00:00-04:00 2026-11-01T01:00:00-05:00 2026-11-01T02:00:00-05:00"},
		{"daily", "@daily", "Europe/Berlin", "2026-03-28T12:00:00+01:00",
			"2026-03-29T00:00:00+01:00 2026-03-30T00:00:00+02:00"},
		{"half an hour", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00+10:30",
			"2026-10-05T02:15:00+11:00"},
		{"skipped day", "0 9 * * *", "Pacific/Apia", "2011-12-29T12:00:00-10:00",
			"2011-12-31T09:00:00+14:00"},
		{"no midnight", "0 1 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00-03:00",
			"2018-11-04T01:00:00-02:00 2018-11-05T01:00:00-02:00"},
		{"every", "@every 1h30m", "America/New_York", "2026-03-08T01:00:00-05:00",
			"2026-03-08T03:30:00-04:00 2026-03-08T05:00:00-04:00"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			z := zone(t, tc.zone)
			s, tick := mustParse(t, tc.schedule, z), instant(t, tc.from)
			var got []string
			for range strings.Fields(tc.want) {
				tick = s.next(tick, tick)
				got = append(got, tick.In(z).Format(time.RFC3339))
			}
			if diff := cmp.Diff(strings.Fields(tc.want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSchedule_Next(t *testing.T) {
	for _, tc := range []struct{ schedule, want string }{
		{"15 10 * * *", "2026-01-01T10:15:00Z"},
		{"30 15 10 * * *", "2026-01-01T10:15:30Z"},
		{"*/20 * * * *", "2026-01-01T00:20:00Z"},
		{"0 0 * * MON-fri", "2026-01-02T00:00:00Z"},
		{"0 0 29 feb *", "2028-02-29T00:00:00Z"},
		{"@hourly", "2026-01-01T01:00:00Z"},
		{"@midnight", "2026-01-02T00:00:00Z"},
		{"@weekly", "2026-01-04T00:00:00Z"},
		{"@monthly", "2026-02-01T00:00:00Z"},
		{"@yearly", "2027-01-01T00:00:00Z"},
		{"@every 1h30m", "2026-01-01T01:30:00Z"},
	} {
		start := instant(t, "2026-01-01T00:00:00Z")
		if got := mustParse(t, tc.schedule, time.UTC).next(start, start).Format(time.RFC3339); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.schedule, got, tc.want)
		}
	}
}

// TestLastTicks compares lastTicks with iterating over all ticks.
func TestLastTicks(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	schedules := []string{
		"* * * * * *", "*/7 * * * *", "30 1,2,3 * * *", "0 9 * * sat", "0 0 13 * 5", "5 4 1 jan *", "@every 77m13s", "@hourly",
	}
	begin := instant(t, "2026-01-01T00:00:00Z")
	for range 300 {
		s := mustParse(t, schedules[r.IntN(len(schedules))], zone(t, "America/New_York"))
		low := begin.Add(time.Duration(r.IntN(365*24*3600)) * time.Second)
		high := low.Add(time.Duration(r.IntN(1<<r.IntN(24))-5) * time.Second)
		n := 1 + r.IntN(5)
		want := []time.Time{}
		for tick, i := s.next(low, low), 0; !tick.IsZero() && !tick.After(high) && i < 100_000; tick, i = s.next(low, tick), i+1 {
			want = append(want, tick)
		}
		if len(want) == 100_000 {
			continue
		}
		want = want[max(0, len(want)-n):]
		if diff := cmp.Diff(want, lastTicks(s, low, high, n)); diff != "" {
			t.Fatalf("last %[2]d ticks from %[1]v to %[3]v: %[4]s", low, n, high, diff)
		}
	}
}

func FuzzSchedule(f *testing.F) {
	for _, seed := range []string{
		"30 2 * * mon-fri", "*/5 * * * * *", "@every 1h", "@daily", "61 * * * *", "TZ=UTC", ", , , , ,", "@every 9223372036854775807ns", "0 0 30 2 *", "*/0 * * * *",
	} {
		f.Add(seed)
	}
	start := instant(f, "2026-01-01T00:00:00Z")
	f.Fuzz(func(t *testing.T, text string) {
		s, _, err := parseSchedule(text, time.UTC)
		if err != nil {
			return
		}
		tick := start
		for range 3 {
			next := s.next(tick, tick)
			if next.IsZero() {
				return
			}
			if !next.After(tick) || next.Nanosecond() != 0 {
				t.Fatalf("%q: %v after %v", text, next, tick)
			}
			tick = next
		}
		if ticks := lastTicks(s, start, tick, 1); len(ticks) != 1 || !ticks[0].Equal(tick) {
			t.Errorf("%q: last tick until %v is %v", text, tick, ticks)
		}
	})
}
