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

package cron_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/cron"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

func TestMissed(t *testing.T) {
	hourly := func(more map[string]any) map[string]any {
		more["schedule"] = "@hourly"
		return more
	}
	for _, tc := range []struct {
		name       string
		properties map[string]any
		options    cron.Options
		down       time.Duration
		want       string
	}{
		{"latest", hourly(map[string]any{}), cron.Options{}, 3*time.Hour + 30*time.Minute, "01T01:00:00Z 01T04:00:00Z 01T05:00:00Z"},
		{"all", hourly(map[string]any{"missed": "all"}), cron.Options{}, 3*time.Hour + 30*time.Minute,
			"01T01:00:00Z 01T02:00:00Z 01T03:00:00Z 01T04:00:00Z 01T05:00:00Z"},
		{"skip", hourly(map[string]any{"missed": "skip"}), cron.Options{}, 3*time.Hour + 30*time.Minute, "01T01:00:00Z 01T05:00:00Z"},
		{"none was missed", hourly(map[string]any{"missed": "all"}), cron.Options{}, 10 * time.Minute, "01T01:00:00Z 01T02:00:00Z"},
		{"hardly late", hourly(map[string]any{"missed": "skip"}), cron.Options{}, 30*time.Minute + 9*time.Second, "01T01:00:00Z 01T02:00:00Z"},
		{"deadline", hourly(map[string]any{"missed": "all", "startingDeadlineSeconds": 5400}), cron.Options{}, 3*time.Hour + 30*time.Minute,
			"01T01:00:00Z 01T04:00:00Z 01T05:00:00Z"},
		{"past the deadline", hourly(map[string]any{"startingDeadlineSeconds": 60}), cron.Options{}, 4*time.Hour + 15*time.Minute,
			"01T01:00:00Z 01T06:00:00Z"},
		{"from now", hourly(map[string]any{"missed": "all"}), cron.Options{FromNow: true}, 3*time.Hour + 20*time.Minute, "01T01:00:00Z 01T05:00:00Z"},
		{"every goes on counting", map[string]any{"schedule": "@every 50m"}, cron.Options{}, 3 * time.Hour,
			"01T00:50:00Z 01T04:10:00Z 01T05:00:00Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, path string) {
				var l recorder
				p := start(t, path, cron.Options{}, tc.properties, l.deliver)
				time.Sleep(90 * time.Minute)
				p.stop()
				time.Sleep(tc.down)
				p = start(t, path, tc.options, tc.properties, l.deliver)
				time.Sleep(40 * time.Minute)
				p.stop()
				if diff := cmp.Diff(strings.Fields(tc.want), l.times()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// TestMissedIsBounded: the last 100 of a year's 31 million.
func TestMissedIsBounded(t *testing.T) {
	for _, schedule := range []string{"* * * * * *", "@every 1s"} {
		bubble(t, func(t *testing.T, path string) {
			properties := map[string]any{"schedule": schedule, "missed": "all"}
			var l recorder
			p := start(t, path, cron.Options{}, properties, l.deliver)
			synctest.Wait()
			p.stop()
			time.Sleep(365 * 24 * time.Hour)
			p = start(t, path, cron.Options{}, properties, l.deliver)
			synctest.Wait()
			p.stop()
			got := l.times()
			// Those of the last 10 s are not missed.
			if want := cron.MaxMissed + int(cron.MissedAfter/time.Second); len(got) != want {
				t.Errorf("%s: %d ticks, want %d", schedule, len(got), want)
			}
		})
	}
}

// TestTakenIsHandled: a tick that was delivered and not done comes again,
// whatever is to be done about missed ones.
func TestTakenIsHandled(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		properties := map[string]any{"schedule": "@hourly", "missed": "skip", "startingDeadlineSeconds": 10}
		var l recorder
		p := start(t, path, cron.Options{}, properties, func(_ context.Context, ev event.Event, _ func()) error {
			l.record(ev)
			return nil
		})
		time.Sleep(61 * time.Minute)
		p.kill()
		time.Sleep(5 * time.Hour)
		p = start(t, path, cron.Options{}, properties, l.deliver)
		synctest.Wait()
		p.stop()
		p = start(t, path, cron.Options{}, properties, l.deliver)
		synctest.Wait()
		p.stop()
		if diff := cmp.Diff([]string{"01T01:00:00Z", "01T01:00:00Z"}, l.times()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestFullEngine: while deliveries block, ticks are missed like any others.
func TestFullEngine(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		var l recorder
		p := start(t, path, cron.Options{}, map[string]any{"schedule": "@hourly"}, func(ctx context.Context, ev event.Event, done func()) error {
			l.record(ev)
			time.Sleep(150 * time.Minute)
			done()
			return nil
		})
		time.Sleep(9 * time.Hour)
		p.stop()
		if diff := cmp.Diff(strings.Fields("01T01:00:00Z 01T03:00:00Z 01T05:00:00Z 01T06:00:00Z"), l.times()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestFailedDelivery: Run that is called again delivers what was not taken.
func TestFailedDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sub := compile(t, cron.Options{}, map[string]any{"schedule": "@hourly"})
		src := sub.Open([]source.Subscription{sub})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour+time.Minute)
		defer cancel()
		full := errors.New("full")
		if err := src.Run(ctx, sinkFunc(func(context.Context, event.Event, func()) error { return full })); !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
		var l recorder
		if err := src.Run(ctx, sinkFunc(l.deliver)); err != nil {
			t.Errorf("got %v", err)
		}
		if diff := cmp.Diff(strings.Fields("01T01:00:00Z 01T02:00:00Z 01T03:00:00Z"), l.times()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestClockWasWrong: a worker whose clock was a day ahead ticks again once it
// is right.
func TestClockWasWrong(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		properties := map[string]any{"schedule": "@hourly"}
		var l recorder
		// The bubble's clock cannot go back, so what is stored goes ahead.
		p := start(t, path, cron.Options{}, properties, l.deliver)
		synctest.Wait()
		key := compile(t, cron.Options{}, properties).Key()
		if err := p.store.Save(t.Context(), key, watermarkAt("2000-01-02T00:00:00Z")); err != nil {
			t.Fatal(err)
		}
		p.stop()
		p = start(t, path, cron.Options{}, properties, l.deliver)
		time.Sleep(90 * time.Minute)
		p.stop()
		if diff := cmp.Diff([]string{"01T01:00:00Z"}, l.times()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEvent(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		var l recorder
		p := start(t, path, cron.Options{}, map[string]any{"schedule": "TZ=Europe/Berlin 30 2 * * *", "jitter": "10m"}, l.deliver)
		time.Sleep(2 * time.Hour)
		p.stop()
		if len(l.events) != 1 {
			t.Fatalf("got %v", l.events)
		}
		ev := l.events[0]
		delay := ev.Time.Sub(time.Date(2000, 1, 1, 1, 30, 0, 0, time.UTC))
		if delay <= 0 || delay >= 10*time.Minute {
			t.Errorf("jitter of %v", delay)
		}
		want := event.Event{
			Source: "cronjob", Type: "tick", ID: "cronjob/default/nightly@2000-01-01T01:30:00Z", Key: "default/nightly", Time: ev.Time,
			Data: map[string]any{
				"schedule": "30 2 * * *", "timeZone": "Europe/Berlin",
				"time": "2000-01-01T02:30:00+01:00", "timeFired": "2000-01-01T01:30:00Z",
			},
		}
		if diff := cmp.Diff(want, ev); diff != "" {
			t.Error(diff)
		}
	})
}

// TestPrune forgets schedules that no trigger has, and nothing of others.
func TestPrune(t *testing.T) {
	s, err := file.Open(t.Context(), t.TempDir()+"/store.db", file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	used := compile(t, cron.Options{}, map[string]any{"schedule": "@daily"})
	unused := compile(t, cron.Options{}, map[string]any{"schedule": "@hourly"})
	for _, name := range []string{used.Key(), unused.Key(), "x resource-watcher:v1/Pod"} {
		if err := s.Save(t.Context(), name, watermarkAt("2000-01-02T00:00:00Z")); err != nil {
			t.Fatal(err)
		}
	}
	if err := cron.Prune(t.Context(), s, []source.Subscription{used}); err != nil {
		t.Fatal(err)
	}
	left, err := s.Watches(t.Context())
	if diff := cmp.Diff([]string{used.Key(), "x resource-watcher:v1/Pod"}, left); diff != "" || err != nil {
		t.Error(diff, err)
	}
}
