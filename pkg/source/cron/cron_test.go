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
	"github.com/kubevela/kube-trigger/pkg/store"
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
		{"none", hourly(map[string]any{"missed": "all"}), cron.Options{}, 10 * time.Minute, "01T01:00:00Z 01T02:00:00Z"},
		{"late", hourly(map[string]any{"missed": "skip"}), cron.Options{}, 30*time.Minute + 9*time.Second, "01T01:00:00Z 01T02:00:00Z"},
		{"deadline", hourly(map[string]any{"missed": "all", "startingDeadlineSeconds": 5400}), cron.Options{}, 3*time.Hour + 30*time.Minute,
			"01T01:00:00Z 01T04:00:00Z 01T05:00:00Z"},
		{"past deadline", hourly(map[string]any{"startingDeadlineSeconds": 60}), cron.Options{}, 4*time.Hour + 15*time.Minute,
			"01T01:00:00Z 01T06:00:00Z"},
		{"from now", hourly(map[string]any{"missed": "all"}), cron.Options{FromNow: true}, 3*time.Hour + 20*time.Minute, "01T01:00:00Z 01T05:00:00Z"},
		{"every", map[string]any{"schedule": "@every 50m"}, cron.Options{}, 3 * time.Hour,
			"01T00:50:00Z 01T04:10:00Z 01T05:00:00Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, path string) {
				var r recorder
				p := start(t, path, cron.Options{}, tc.properties, r.deliver)
				time.Sleep(90 * time.Minute)
				p.stop()
				time.Sleep(tc.down)
				p = start(t, path, tc.options, tc.properties, r.deliver)
				time.Sleep(40 * time.Minute)
				p.stop()
				if diff := cmp.Diff(strings.Fields(tc.want), r.times()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// TestMissed_Limit handles the last MaxMissed of a year's 31 million ticks.
func TestMissed_Limit(t *testing.T) {
	for _, schedule := range []string{"* * * * * *", "@every 1s"} {
		bubble(t, func(t *testing.T, path string) {
			properties := map[string]any{"schedule": schedule, "missed": "all"}
			var r recorder
			p := start(t, path, cron.Options{}, properties, r.deliver)
			synctest.Wait()
			p.stop()
			time.Sleep(365 * 24 * time.Hour)
			p = start(t, path, cron.Options{}, properties, r.deliver)
			synctest.Wait()
			p.stop()
			got := r.times()
			// Ticks of the last 10 s do not count as missed.
			if want := cron.MaxMissed + int(cron.MissedAfter/time.Second); len(got) != want {
				t.Errorf("%s: %d ticks, want %d", schedule, len(got), want)
			}
		})
	}
}

// TestTicker_Crash delivers a tick again that was not acknowledged, regardless of the
// policy for missed ticks.
func TestTicker_Crash(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		properties := map[string]any{"schedule": "@hourly", "missed": "skip", "startingDeadlineSeconds": 10}
		var r recorder
		p := start(t, path, cron.Options{}, properties, func(_ context.Context, ev event.Event, _ func()) error {
			r.record(ev)
			return nil
		})
		time.Sleep(61 * time.Minute)
		p.kill()
		time.Sleep(5 * time.Hour)
		p = start(t, path, cron.Options{}, properties, r.deliver)
		synctest.Wait()
		p.stop()
		p = start(t, path, cron.Options{}, properties, r.deliver)
		synctest.Wait()
		p.stop()
		if diff := cmp.Diff([]string{"01T01:00:00Z", "01T01:00:00Z"}, r.times()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestTicker_Backpressure: ticks are missed while the engine blocks.
func TestTicker_Backpressure(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		var r recorder
		p := start(t, path, cron.Options{}, map[string]any{"schedule": "@hourly"}, func(ctx context.Context, ev event.Event, done func()) error {
			r.record(ev)
			time.Sleep(150 * time.Minute)
			done()
			return nil
		})
		time.Sleep(9 * time.Hour)
		p.stop()
		if diff := cmp.Diff(strings.Fields("01T01:00:00Z 01T03:00:00Z 01T05:00:00Z 01T06:00:00Z"), r.times()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestTicker_RunAgain delivers the pending tick when Run is called again.
func TestTicker_RunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sub := compile(t, cron.Options{}, map[string]any{"schedule": "@hourly"})
		src := sub.Open([]source.Subscription{sub})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour+time.Minute)
		defer cancel()
		full := errors.New("full")
		if err := src.Run(ctx, sinkFunc(func(context.Context, event.Event, func()) error { return full })); !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
		var r recorder
		if err := src.Run(ctx, sinkFunc(r.deliver)); err != nil {
			t.Errorf("got %v", err)
		}
		if diff := cmp.Diff(strings.Fields("01T01:00:00Z 01T02:00:00Z 01T03:00:00Z"), r.times()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestTicker_ClockSetBack restarts the schedule if the clock was a day ahead.
func TestTicker_ClockSetBack(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		properties := map[string]any{"schedule": "@hourly"}
		var r recorder
		// The bubble's clock cannot be set back, so the stored position is set ahead.
		p := start(t, path, cron.Options{}, properties, r.deliver)
		synctest.Wait()
		key := compile(t, cron.Options{}, properties).Key()
		if err := p.store.Checkpoints().Save(t.Context(), key, watermarkAt("2000-01-02T00:00:00Z")); err != nil {
			t.Fatal(err)
		}
		p.stop()
		p = start(t, path, cron.Options{}, properties, r.deliver)
		time.Sleep(90 * time.Minute)
		p.stop()
		if diff := cmp.Diff([]string{"01T01:00:00Z"}, r.times()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEvent(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		var r recorder
		p := start(t, path, cron.Options{}, map[string]any{"schedule": "TZ=Europe/Berlin 30 2 * * *", "jitter": "10m"}, r.deliver)
		time.Sleep(2 * time.Hour)
		p.stop()
		if len(r.events) != 1 {
			t.Fatalf("got %v", r.events)
		}
		ev := r.events[0]
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

// TestPrune deletes all checkpoints but that of the schedule.
func TestPrune(t *testing.T) {
	s, err := file.Open(t.Context(), t.TempDir()+"/store.db", file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	used := compile(t, cron.Options{}, map[string]any{"schedule": "@daily"})
	unused := compile(t, cron.Options{}, map[string]any{"schedule": "@hourly"})
	for _, name := range []string{used.Key(), unused.Key(), "x resource-watcher:v1/Pod"} {
		if err := s.Checkpoints().Save(t.Context(), name, watermarkAt("2000-01-02T00:00:00Z")); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Prune(t.Context(), s, used.UsesCheckpoint); err != nil {
		t.Fatal(err)
	}
	remaining, err := s.Checkpoints().List(t.Context())
	if diff := cmp.Diff([]string{used.Key()}, remaining); diff != "" || err != nil {
		t.Error(diff, err)
	}
}
