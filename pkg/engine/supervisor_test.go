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

package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// from returns a subscription whose source runs f.
func from(key string, f sourceFunc) subscription {
	return subscription{key: key, open: func([]source.Subscription) source.Source { return f }}
}

func TestSupervisor_Restart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended []time.Time
		var waits []time.Duration
		last := time.Now()
		refused := errors.New("refused")
		broken := from("broken", func(ctx context.Context, _ source.Sink) error {
			waits = append(waits, time.Since(last))
			n := len(waits)
			switch {
			case n == 8:
				time.Sleep(engine.SourceHealthy)
			case n == 10:
				<-ctx.Done()
				return nil
			}
			last = time.Now()
			ended = append(ended, last)
			switch n {
			case 1:
				return nil
			case 2:
				panic("at the disco")
			}
			return refused
		})
		h := start(t, engine.Options{},
			triggerSpec{SourceType: "odd", Subscription: broken, Action: actionFunc(ok)},
			triggerSpec{SourceType: "even", Action: actionFunc(ok)},
		)
		synctest.Wait()
		h.deliver("a", "1")
		advance(time.Hour)
		h.deliver("a", "2")
		synctest.Wait()
		h.wantDone("1", "2")

		want := []time.Duration{0, 1, 2, 4, 8, 15, 15, 15, 1, 2}
		if len(waits) != len(want) {
			t.Fatalf("started %d times, want %d", len(waits), len(want))
		}
		for i := range want {
			if w := want[i] * time.Second; (waits[i] - w).Abs() > w/5 {
				t.Errorf("wait before start %d is %s, want %s ±20 %%", i+1, waits[i], w)
			}
		}
		if len(h.failures) != 9 {
			t.Fatalf("%d failures reported, want 9", len(h.failures))
		}
		for i, want := range []string{`source "odd": stopped unexpectedly`, `source "odd": panic with a value of type string`, `source "odd": refused`} {
			f := h.failures[i]
			if f.Err.Error() != want || f.RetryIn != waits[i+1] || !f.Time.Equal(ended[i]) ||
				!slices.Equal(f.Triggers, []event.TriggerRef{{Name: "t0"}}) {
				t.Errorf("failure %d is %+v, want %s", i, f, want)
			}
		}
		h.stop()
	})
}

func TestSupervisor_FailFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("refused")
		gate := make(chan struct{})
		h := start(t, engine.Options{FailFast: true},
			triggerSpec{SourceType: "good", Action: gated(gate)},
			triggerSpec{SourceType: "bad", Action: actionFunc(ok), Subscription: from("bad",
				func(context.Context, source.Sink) error {
					time.Sleep(time.Second)
					return refused
				})},
		)
		h.deliver("a", "1")
		advance(time.Second)
		close(gate)
		err := <-h.ended
		if !errors.Is(err, refused) || !strings.Contains(err.Error(), `source "bad"`) {
			t.Errorf("Run: %v", err)
		}
		h.wantDone("1")
	})
}

func TestSupervisor_StopDuringBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, engine.Options{}, triggerSpec{Action: actionFunc(ok), Subscription: from("bad",
			func(context.Context, source.Sink) error { return errors.New("refused") })})
		synctest.Wait()
		begin := time.Now()
		h.stop()
		if took := time.Since(begin); took != 0 {
			t.Errorf("stopping took %s", took)
		}
	})
}

func TestSupervisor_SharedSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened []int
		open := func(shared []source.Subscription) source.Source {
			opened = append(opened, len(shared))
			return sourceFunc(func(ctx context.Context, _ source.Sink) error {
				<-ctx.Done()
				return nil
			})
		}
		trigger := func(sourceType, key string) triggerSpec {
			return triggerSpec{
				SourceType: sourceType, Action: actionFunc(ok),
				Subscription: subscription{key: key, open: open},
			}
		}
		h := start(t, engine.Options{}, trigger("x", "1"), trigger("x", "2"), trigger("y", "1"), trigger("x", "1"))
		synctest.Wait()
		h.stop()
		if !slices.Equal(opened, []int{2, 1, 1}) {
			t.Errorf("opened sources of %v subscriptions, want [2 1 1]", opened)
		}
	})
}
