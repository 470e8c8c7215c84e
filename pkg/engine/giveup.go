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

import (
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// Failure is an event that a trigger gives up.
type Failure struct {
	Event   event.Event
	Trigger event.Trigger
	Err     error
	// Attempts is how often the action was tried; 0 where the filter failed.
	Attempts int
	// First and Last are when the first and the last attempt began.
	First, Last time.Time
}

func (j *job) failure(t event.Trigger, err error) Failure {
	return Failure{
		Event: *j.event(), Trigger: t, Err: err,
		Attempts: j.attempts, First: j.first, Last: j.last,
	}
}

// giveUp is where every event passes that a trigger gives up, before the
// trigger is done with it.
func (r *runner) giveUp(f Failure, reason string) {
	d := r.decide(&f.Event, GivenUp, reason)
	d.Attempt, d.Err, d.Duration = f.Attempts, f.Err, d.Time.Sub(f.Last)
	r.report.decision(d)
}
