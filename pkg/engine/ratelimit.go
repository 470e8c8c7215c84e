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

	"github.com/kubevela/kube-trigger/pkg/ring"
)

// limiter is a sliding-window rate limiter: at most Limit starts within any
// Period. A token bucket, as in golang.org/x/time/rate, would allow twice as many
// within one period.
type limiter struct {
	RateLimit
	// starts are the last Limit reserved start times.
	starts ring.Buffer[time.Time]
}

// reserve reserves the next start and returns its time, at the earliest now.
func (l *limiter) reserve(now time.Time) time.Time {
	start := now
	if oldest, full := l.starts.Oldest(l.Limit); full && oldest.Add(l.Period).After(now) {
		start = oldest.Add(l.Period)
	}
	l.starts.Add(start, l.Limit)
	return start
}

// rateLimitDelay returns the wait until t's reserved start. It returns 0, and
// consumes the reservation, once that time is reached.
func (a *Act) rateLimitDelay(t *Task) time.Duration {
	limit := t.policy().RateLimit
	if limit.Limit == 0 {
		return 0
	}
	now := t.runner.clock.Now()
	reserved := !t.notBefore.IsZero()
	if !reserved {
		t.notBefore = a.reserve(limit, now)
	}
	wait := t.notBefore.Sub(now)
	if wait > 0 && !reserved {
		d := t.runner.newDecision(t.Event(), Queued, ReasonRateLimited)
		d.RetryIn = wait
		t.runner.report.decision(d)
	}
	if wait <= 0 {
		t.notBefore = time.Time{}
	}
	return wait
}

func (a *Act) reserve(limit RateLimit, now time.Time) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.limiter == nil {
		a.limiter = &limiter{RateLimit: limit}
	}
	return a.limiter.reserve(now)
}
