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
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// threeSteps returns the steps a, b and c, which make one call each. result returns
// the error of a call.
func threeSteps(t *testing.T, calls *recorder, optional bool, result func(path string) error) []engine.Step {
	t.Helper()
	var steps []engine.Step
	for _, name := range []string{"a", "b", "c"} {
		template, problems := action.Parse(name, "import \"vela/kube\"\n"+name+
			`: kube.#Patch & {$params: {resource: {apiVersion: "v1", kind: "X", metadata: name: context.event.id}, patch: data: {}}}`)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		a, problems := template.Compile(action.Options{Executor: executorFunc(func(call provider.Call) error {
			resource := call.Params["resource"].(map[string]any)
			calls.add(call.Path + resource["metadata"].(map[string]any)["name"].(string))
			return result(call.Path)
		})})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		steps = append(steps, engine.Step{Title: name, Start: a.Start, Optional: optional && name == "b"})
	}
	return steps
}

// TestSequence_RetriesPerStep retries each step as often as a single action, and
// keeps the events of a key in order.
func TestSequence_RetriesPerStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit, left := 2, map[string]int{"a": 2, "b": 2}
		var calls recorder
		act := threeSteps(t, &calls, false, func(path string) error {
			if left[path] > 0 {
				left[path]--
				return errors.New("refused")
			}
			return nil
		})
		h := start(t, engine.Options{}, triggerSpec{Steps: act, Policy: engine.Policy{Retry: engine.Retry{Limit: &limit}}})
		h.deliver("k", "1")
		h.deliver("k", "2")
		advance(time.Minute)
		calls.want(t, "a1", "a1", "a1", "b1", "b1", "b1", "c1", "a2", "b2", "c2")
		h.wantOutcomes("1", engine.Failed, engine.Failed, engine.Failed, engine.Failed, engine.Succeeded)
		for i, action := range []string{"a", "a", "b", "b", ""} {
			if d := h.decisionsOf("1")[i]; d.Action != action || d.Attempt != i+1 {
				t.Errorf("decision %d has action %q, attempt %d", i, d.Action, d.Attempt)
			}
		}
		// The backoff restarts with each step, too.
		if d := h.decisionsOf("1")[2]; d.RetryIn > 3*time.Second {
			t.Errorf("the first retry of b is after %s", d.RetryIn)
		}
		h.wantDone("1", "2")
		h.stop()
	})
}

// TestSequence_OptionalStep continues after an optional step, and dead-letters
// the event otherwise.
func TestSequence_OptionalStep(t *testing.T) {
	for _, tc := range []struct {
		name     string
		optional bool
		err      error
		calls    []string
		outcomes []engine.Outcome
		reason   string
	}{
		{"exhausted", true, errors.New("refused"), []string{"a1", "b1", "b1", "c1", "a2", "b2", "b2", "c2"},
			[]engine.Outcome{engine.Failed, engine.Skipped, engine.Succeeded}, engine.ReasonExhausted},
		{"terminal", true, action.Terminal(errors.New("wrong")), []string{"a1", "b1", "c1", "a2", "b2", "c2"},
			[]engine.Outcome{engine.Skipped, engine.Succeeded}, engine.ReasonTerminal},
		{"stop", false, errors.New("refused"), []string{"a1", "b1", "b1", "a2", "b2", "b2"},
			[]engine.Outcome{engine.Failed, engine.DeadLettered}, engine.ReasonExhausted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limit := 1
				var calls recorder
				act := threeSteps(t, &calls, tc.optional, func(path string) error {
					if path == "b" {
						return tc.err
					}
					return nil
				})
				h := start(t, engine.Options{}, triggerSpec{Steps: act, Policy: engine.Policy{Retry: engine.Retry{Limit: &limit}}})
				h.deliver("k", "1")
				h.deliver("k", "2")
				advance(time.Minute)
				calls.want(t, tc.calls...)
				h.wantOutcomes("1", tc.outcomes...)
				if d := h.decisionsOf("1")[len(tc.outcomes)-1]; tc.optional && d.Err != nil || !tc.optional && d.Action != "b" {
					t.Errorf("the last decision is %+v", d)
				}
				for _, d := range h.decisionsOf("1") {
					if (d.Outcome == engine.Skipped || d.Outcome == engine.DeadLettered) && (d.Reason != tc.reason || d.Action != "b") {
						t.Errorf("decision %+v", d)
					}
					if d.Err != nil && !strings.HasPrefix(d.Err.Error(), "b: ") {
						t.Errorf("the error of step b is %q", d.Err)
					}
				}
				h.wantDone("1", "2")
				h.stop()
			})
		})
	}
}

// resultStep returns a step that records the results it starts with in seen, and has
// its name as the result, or fails.
func resultStep(name string, seen map[string][]string, err error) engine.Step {
	return engine.Step{Name: name, Title: name, Optional: true, Start: func(results map[string]any, _ *sync.Map) func(context.Context, event.Event) (any, error) {
		seen[name] = append([]string{}, slices.Sorted(maps.Keys(results))...)
		return func(context.Context, event.Event) (any, error) { return name, err }
	}}
}

// TestSequence_Results passes the results of earlier steps, and none of a step that
// was skipped.
func TestSequence_Results(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := map[string][]string{}
		h := start(t, engine.Options{}, triggerSpec{Steps: []engine.Step{
			resultStep("a", seen, nil),
			resultStep("b", seen, action.Terminal(errors.New("wrong"))),
			resultStep("c", seen, nil),
			resultStep("d", seen, action.Terminal(errors.New("wrong"))),
		}})
		h.deliver("k", "1")
		synctest.Wait()
		h.wantOutcomes("1", engine.Skipped, engine.Skipped, engine.Succeeded)
		want := map[string][]string{"a": {}, "b": {"a"}, "c": {"a"}, "d": {"a", "c"}}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Error(diff)
		}
		h.stop()
	})
}

// TestStep_Start covers a single action, which has no results, and a panic.
func TestStep_Start(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		starts := 0
		h := start(t, engine.Options{}, triggerSpec{Steps: []engine.Step{{
			Start: func(results map[string]any, _ *sync.Map) func(context.Context, event.Event) (any, error) {
				if starts++; starts == 1 {
					panic("start")
				}
				if results != nil {
					t.Errorf("a single action has results %v", results)
				}
				return func(context.Context, event.Event) (any, error) { return nil, nil }
			},
		}}})
		h.deliver("k", "bad")
		h.deliver("k", "good")
		synctest.Wait()
		h.wantOutcomes("bad", engine.DeadLettered)
		if d := h.decisionsOf("bad")[0]; d.Reason != engine.ReasonPanic {
			t.Errorf("decision %+v", d)
		}
		h.wantOutcomes("good", engine.Succeeded)
		h.wantDone("bad", "good")
		h.stop()
	})
}

// TestRetry_After waits as long as the server requests, without blocking other
// keys.
func TestRetry_After(t *testing.T) {
	for _, tc := range []struct {
		seconds  int
		from, to time.Duration
	}{
		{0, 1600 * time.Millisecond, 2400 * time.Millisecond},
		{1, 1600 * time.Millisecond, 2400 * time.Millisecond},
		{45, 45 * time.Second, 54 * time.Second},
		{7200, engine.MaxRetryAfter, engine.MaxRetryAfter + 12*time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			var calls recorder
			busy := true
			h := start(t, engine.Options{}, triggerSpec{Action: actionFunc(func(_ context.Context, ev event.Event) error {
				calls.add(ev.ID)
				if ev.ID == "1" && busy {
					busy = false
					return apierrors.NewTooManyRequests("busy", tc.seconds)
				}
				return nil
			})})
			h.deliver("k", "1")
			h.deliver("k", "2")
			h.deliver("other", "3")
			advance(time.Second)
			calls.wantAnyOrder(t, "1", "3")
			if wait := h.decisionsOf("1")[0].RetryIn; wait < tc.from || wait > tc.to {
				t.Errorf("Retry-After %d s: waits %s", tc.seconds, wait)
			}
			advance(time.Hour)
			h.wantOutcomes("1", engine.Failed, engine.Succeeded)
			h.wantDone("1", "2", "3")
			h.stop()
		})
	}
}

// TestSequence_Unchanged reports why the steps changed nothing, unless one of them did, and
// passes on the results of those that did not.
func TestSequence_Unchanged(t *testing.T) {
	unchanged, changed := event.Unchanged{Reason: engine.ReasonUnchanged, Result: "kept"}, any("new")
	for name, tc := range map[string]struct {
		results []any
		reason  string
	}{
		"all":     {[]any{unchanged, event.Unchanged{Reason: engine.ReasonObjectReplaced}}, engine.ReasonUnchanged},
		"first":   {[]any{unchanged, changed}, ""},
		"last":    {[]any{changed, unchanged}, ""},
		"neither": {[]any{nil, changed}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var steps []engine.Step
				var seen map[string]any
				for i, result := range tc.results {
					title := fmt.Sprint("step", i)
					steps = append(steps, engine.Step{Name: title, Title: title, Start: func(results map[string]any, _ *sync.Map) func(context.Context, event.Event) (any, error) {
						seen = results
						return func(context.Context, event.Event) (any, error) { return result, nil }
					}})
				}
				h := start(t, engine.Options{}, triggerSpec{Steps: steps})
				h.deliver("a", "1")
				synctest.Wait()
				h.wantOutcomes("1", engine.Succeeded)
				if d := h.decisionsOf("1")[0]; d.Reason != tc.reason {
					t.Errorf("reason is %q, want %q", d.Reason, tc.reason)
				}
				if tc.results[0] == any(unchanged) && seen["step0"] != "kept" {
					t.Errorf("results are %v", seen)
				}
				h.stop()
			})
		})
	}
}
