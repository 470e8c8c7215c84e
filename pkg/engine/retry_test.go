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
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

func TestRetry_Backoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		refused := errors.New("refused")
		h := start(t, engine.Options{}, triggerSpec{
			Policy: engine.Policy{Retry: engine.Retry{Backoff: engine.Backoff{Max: 10 * time.Second}}},
			Action: actionFunc(func(context.Context, event.Event) error {
				at = append(at, time.Now())
				return refused
			}),
		})
		h.deliver("a", "1")
		advance(time.Hour)

		nominal := []time.Duration{2, 4, 8, 10, 10}
		if len(at) != 6 {
			t.Fatalf("%d attempts, want 6", len(at))
		}
		jittered := false
		decisions := h.decisionsOf("1")
		for i, want := range nominal {
			want *= time.Second
			got := at[i+1].Sub(at[i])
			if off := (got - want).Abs(); off > want/5 {
				t.Errorf("wait before attempt %d is %s, want %s ±20 %%", i+2, got, want)
			} else if off > 0 {
				jittered = true
			}
			if d := decisions[i]; d.RetryIn != got || d.Attempt != i+1 || d.Reason != engine.ReasonError {
				t.Errorf("decision %d is %+v, want a retry in %s", i, d, got)
			}
		}
		if !jittered {
			t.Error("no wait has jitter")
		}
		h.wantOutcomes("1", engine.Failed, engine.Failed, engine.Failed, engine.Failed, engine.Failed, engine.DeadLettered)
		if d := decisions[5]; d.Attempt != 6 || d.Reason != engine.ReasonExhausted || !errors.Is(d.Err, refused) {
			t.Errorf("last decision is %+v", d)
		}
		h.wantDone("1")
		h.stop()
	})
}

func TestRetry_NotRetried(t *testing.T) {
	never := 0
	for name, c := range map[string]struct {
		err    error
		limit  *int
		reason string
	}{
		"terminal": {err: action.Terminal(errors.New("bad template")), reason: engine.ReasonTerminal},
		"limit 0":  {err: errors.New("refused"), limit: &never, reason: engine.ReasonExhausted},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := start(t, engine.Options{}, triggerSpec{
					Policy: engine.Policy{Retry: engine.Retry{Limit: c.limit}},
					Action: actionFunc(func(_ context.Context, ev event.Event) error {
						if ev.ID == "1" {
							return c.err
						}
						return nil
					}),
				})
				h.deliver("a", "1")
				h.deliver("a", "2")
				synctest.Wait()
				h.wantOutcomes("1", engine.DeadLettered)
				if d := h.decisionsOf("1")[0]; d.Reason != c.reason || d.Attempt != 1 {
					t.Errorf("decision is %+v, want reason %q", d, c.reason)
				}
				h.wantOutcomes("2", engine.Succeeded)
				h.wantDone("1", "2")
				h.stop()
			})
		})
	}
}

func TestFilter_Error(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("does not evaluate")
		h := start(t, engine.Options{}, triggerSpec{
			Filter: filterFunc(func(_ context.Context, ev event.Event) (event.Verdict, error) {
				switch ev.ID {
				case "1":
					return event.Verdict{}, broken
				case "2":
					return event.Verdict{Reason: "context.data.x is absent", Path: "context.data.x"}, nil
				}
				return event.Verdict{Match: true}, nil
			}),
			Action: actionFunc(func(_ context.Context, ev event.Event) error {
				if ev.ID != "3" {
					t.Errorf("action ran for event %q", ev.ID)
				}
				return nil
			}),
		})
		for _, id := range []string{"1", "2", "3"} {
			h.deliver("a", id)
		}
		synctest.Wait()
		h.wantOutcomes("1", engine.DeadLettered)
		if d := h.decisionsOf("1")[0]; d.Reason != engine.ReasonFilter || d.Attempt != 0 || !errors.Is(d.Err, broken) {
			t.Errorf("decision is %+v", d)
		}
		h.wantOutcomes("2", engine.Filtered)
		if d := h.decisionsOf("2")[0]; d.Reason != "context.data.x is absent" || d.Path != "context.data.x" {
			t.Errorf("decision is %+v", d)
		}
		h.wantOutcomes("3", engine.Succeeded)
		h.wantDone("1", "2", "3")
		h.stop()
	})
}

func TestRetry_FilterRunsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, tries := 0, 0
		h := start(t, engine.Options{}, triggerSpec{
			Filter: filterFunc(func(context.Context, event.Event) (event.Verdict, error) {
				calls++
				return event.Verdict{Match: true}, nil
			}),
			Action: actionFunc(func(context.Context, event.Event) error {
				if tries++; tries < 3 {
					return errors.New("not yet")
				}
				return nil
			}),
		})
		h.deliver("a", "1")
		advance(time.Minute)
		h.wantOutcomes("1", engine.Failed, engine.Failed, engine.Succeeded)
		if calls != 1 {
			t.Errorf("the filter ran %d times, want 1", calls)
		}
		h.stop()
	})
}

func TestPanic_DeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines recorder
		log := funcr.New(func(_, args string) { lines.add(args) }, funcr.Options{})
		h := startIn(logr.NewContext(t.Context(), log), t, engine.Options{}, triggerSpec{
			Filter: filterFunc(func(_ context.Context, ev event.Event) (event.Verdict, error) {
				if ev.ID == "1" {
					panicInFilter()
				}
				return event.Verdict{Match: true}, nil
			}),
			Action: actionFunc(func(_ context.Context, ev event.Event) error {
				if ev.ID == "2" {
					panicInAction()
				}
				return nil
			}),
		})
		for _, id := range []string{"1", "2", "3"} {
			h.deliver("a", id)
		}
		synctest.Wait()
		for id, want := range map[string][2]string{
			"1": {engine.ReasonFilter, "panic with a value of type string"},
			"2": {engine.ReasonPanic, "panic: assignment to entry in nil map"},
		} {
			h.wantOutcomes(id, engine.DeadLettered)
			if d := h.decisionsOf(id)[0]; d.Reason != want[0] || d.Err.Error() != want[1] {
				t.Errorf("event %q: %+v, want %q", id, d, want)
			}
		}
		h.wantOutcomes("3", engine.Succeeded)
		h.wantDone("1", "2", "3")
		for _, where := range []string{"panicInFilter", "panicInAction"} {
			if !slices.ContainsFunc(lines.ids, func(l string) bool { return strings.Contains(l, where) }) {
				t.Errorf("no stack with %s is logged", where)
			}
		}
		h.stop()
	})
}

func panicInFilter() { panic("a secret") }

func panicInAction() {
	var m map[string]int
	m["x"] = 1 //nolint:staticcheck // a panic of the runtime is what the test wants
}

func TestRetry_Clock(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Unix(0, 0))
	ran := make(chan struct{}, 10)
	h := start(t, engine.Options{Clock: clock}, triggerSpec{
		Action: actionFunc(func(context.Context, event.Event) error {
			ran <- struct{}{}
			return errors.New("refused")
		}),
	})
	h.deliver("a", "1")
	<-ran
	waitFor(t, "the retry to wait", func() bool { return len(h.decisionsOf("1")) == 1 && clock.HasWaiters() })
	wait := h.decisionsOf("1")[0].RetryIn
	clock.Step(wait - 1)
	select {
	case <-ran:
		t.Error("retried too early")
	default:
	}
	clock.Step(1)
	<-ran
	waitFor(t, "the next retry to wait", func() bool { return len(h.decisionsOf("1")) == 2 && clock.HasWaiters() })
	h.stop()
	if clock.HasWaiters() {
		t.Error("a timer is still set")
	}
}

// goneError is a permanent failure with a reason of its own.
type goneError struct{ error }

func (goneError) Terminal() bool { return true }
func (goneError) Reason() string { return engine.ReasonObjectReplaced }

// TestRetry_Reason dead-letters an event with the reason of the error.
func TestRetry_Reason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, engine.Options{}, triggerSpec{Action: func(context.Context, event.Event) error {
			return fmt.Errorf("delete: %w", goneError{errors.New("replaced")})
		}})
		h.deliver("a", "1")
		synctest.Wait()
		h.wantOutcomes("1", engine.DeadLettered)
		if d := h.decisionsOf("1")[0]; d.Reason != engine.ReasonObjectReplaced || d.Attempt != 1 {
			t.Errorf("decision is %+v", d)
		}
		h.stop()
	})
}
