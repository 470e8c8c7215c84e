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

package action_test

import (
	"context"
	"errors"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
)

// fakeCrashTracker counts the evaluations that began and ended.
type fakeCrashTracker struct {
	t            *testing.T
	began, ended int
}

func (f *fakeCrashTracker) Begin(id string) func() {
	if id != "event-1" {
		f.t.Errorf("evaluation of event %q", id)
	}
	f.began++
	return func() { f.ended++ }
}

// TestStart_CrashTracker records the evaluations of an action, and those within its
// calls, but not the calls.
func TestStart_CrashTracker(t *testing.T) {
	tracker := &fakeCrashTracker{t: t}
	fail, during := true, 0
	executor := executorFunc(func(ctx context.Context, _ provider.Call) (provider.Result, error) {
		if tracker.began != tracker.ended {
			t.Error("a call is executed during a recorded evaluation")
		}
		_, end := action.Track(ctx, nil, "")
		if tracker.began != tracker.ended+1 {
			t.Error("an evaluation within a call is not recorded")
		}
		end()
		during++
		if fail {
			return nil, errors.New("unavailable")
		}
		return provider.Result{}, nil
	})
	tmpl, diags := action.Parse("test", "import \"vela/kube\"\n"+get("one")+get("two"))
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	a, diags := tmpl.Compile(action.Options{Executor: executor, CrashTracker: tracker})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	ev := configMap("c")
	ev.ID = "event-1"
	start := a.Start(nil, nil)
	if _, err := start(t.Context(), ev); err == nil {
		t.Error("got no error")
	}
	fail = false
	if _, err := start(t.Context(), ev); err != nil {
		t.Error(err)
	}
	// Each attempt begins, each call ends and resumes, and has an evaluation within.
	if want := 2 + 2*during; during != 3 || tracker.began != want || tracker.ended != want {
		t.Errorf("%d calls: began %d times and ended %d times, want %d", during, tracker.began, tracker.ended, want)
	}
}

type executorFunc func(context.Context, provider.Call) (provider.Result, error)

func (f executorFunc) Execute(ctx context.Context, c provider.Call) (provider.Result, error) {
	return f(ctx, c)
}
