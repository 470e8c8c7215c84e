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

package action

import (
	"context"
	"time"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
)

// journal records the successful provider calls of one event, so that a retry returns
// their recorded results and executes only the calls that failed: an action that
// patches three Applications and fails at the third does not patch the first two
// again. Calls that only read are not recorded.
type journal struct {
	// step is the position of the action among those of the trigger.
	step    int32
	results map[string]map[string]any
	// scope is shared by the calls; nil for views.
	scope *provider.Scope
	// waitingSince is when the step began to wait for a condition; zero if it does not.
	waitingSince time.Time
	// streaks are those of calls, by key.
	streaks map[string]*provider.Streak
	// save stores the journal; nil if it is in memory alone. unsaved is set if that failed,
	// or a streak has begun since.
	save    func(ctx context.Context) error
	unsaved bool
	// kept are the calls whose results are stored, and whether these are those of a Secret.
	kept map[string]bool
	// resumed is set if the journal is that of an earlier process.
	resumed bool
	// effects is the number of calls that could change or send something.
	effects int
}

func (j *journal) get(key string) (map[string]any, bool) {
	result, ok := j.results[key]
	return result, ok
}

// streak returns the streak of a call.
func (j *journal) streak(key string) *provider.Streak {
	if j.streaks == nil {
		j.streaks = map[string]*provider.Streak{}
	}
	if j.streaks[key] == nil {
		j.streaks[key] = &provider.Streak{}
	}
	return j.streaks[key]
}

// waits reports whether an earlier run ended because a condition was not met.
func (j *journal) waits() bool { return !j.waitingSince.IsZero() }

// stale reports whether objects that earlier runs wrote or read may have changed since.
func (j *journal) stale() bool { return j.waits() || j.resumed }

// keep has the result of a call stored. secret is set if its values may be those of a Secret.
func (j *journal) keep(key string, secret bool) {
	if j.kept == nil {
		j.kept = map[string]bool{}
	}
	j.kept[key] = secret
}

func (j *journal) put(key string, result map[string]any) {
	if j.results == nil {
		j.results = map[string]map[string]any{}
	}
	j.results[key] = result
}
