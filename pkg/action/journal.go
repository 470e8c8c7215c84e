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
	// effects is the number of calls that could change or send something.
	effects int
}

func (j *journal) get(key string) (map[string]any, bool) {
	result, ok := j.results[key]
	return result, ok
}

// waits reports whether an earlier run ended because a condition was not met.
func (j *journal) waits() bool { return !j.waitingSince.IsZero() }

func (j *journal) put(key string, result map[string]any) {
	if j.results == nil {
		j.results = map[string]map[string]any{}
	}
	j.results[key] = result
}
