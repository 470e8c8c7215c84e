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

import "time"

// limiter hands out turns, at most limit of them within any period.
type limiter struct {
	RateLimit
	// starts are the last that were handed out, the oldest at next once there are
	// as many as the limit.
	starts []time.Time
	oldest int
}

// reserve returns when the next one is due, not before now.
func (l *limiter) start(now time.Time) time.Time {
	if len(l.starts) < l.Limit {
		l.starts = append(l.starts, now)
		return now
	}
	start := l.starts[l.oldest].Add(l.Period)
	if start.Before(now) {
		start = now
	}
	l.starts[l.oldest] = start
	l.oldest = (l.oldest + 1) % l.Limit
	return start
}

// rateLimitDelay returns how long j has to wait for its turn, which it takes if that is
// not at all. Only the worker that has j calls it.
func (r *runner) rateLimitDelay(j *task) time.Duration {
	now := r.clock.Now()
	if j.notBefore.IsZero() {
		r.mu.Lock()
		j.notBefore = r.limiter.start(now)
		r.mu.Unlock()
	}
	wait := j.notBefore.Sub(now)
	if wait <= 0 {
		j.notBefore = time.Time{}
	}
	return wait
}
