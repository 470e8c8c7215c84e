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

package engine

import "github.com/kubevela/kube-trigger/pkg/event"

// Queues returns how many events each trigger has taken and is not done with.
func (e *Engine) Queues() map[event.Trigger]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	queues := map[event.Trigger]int{}
	for _, r := range e.runners {
		queues[r.trigger.Trigger] = len(r.room)
	}
	return queues
}

// Quarantines returns the triggers that are in quarantine.
func (e *Engine) Quarantines() []Quarantine {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []Quarantine
	for _, r := range e.runners {
		r.mu.Lock()
		if !r.quarantined.IsZero() {
			all = append(all, Quarantine{Trigger: r.trigger.Trigger, Since: r.quarantined, Evaluation: r.overruns > 0})
		}
		r.mu.Unlock()
	}
	return all
}
