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
	// turns are the last that were handed out, the oldest at next once there are
	// as many as the limit.
	turns []time.Time
	next  int
}

// turn returns when the next one is due, not before now.
func (l *limiter) turn(now time.Time) time.Time {
	if len(l.turns) < l.Limit {
		l.turns = append(l.turns, now)
		return now
	}
	turn := l.turns[l.next].Add(l.Period)
	if turn.Before(now) {
		turn = now
	}
	l.turns[l.next] = turn
	l.next = (l.next + 1) % l.Limit
	return turn
}

// untilTurn returns how long j has to wait for its turn, which it takes if that is
// not at all. Only the worker that has j calls it.
func (r *runner) untilTurn(j *job) time.Duration {
	now := r.clock.Now()
	if j.turn.IsZero() {
		r.mu.Lock()
		j.turn = r.limiter.turn(now)
		r.mu.Unlock()
	}
	wait := j.turn.Sub(now)
	if wait <= 0 {
		j.turn = time.Time{}
	}
	return wait
}
