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
	"errors"
	"fmt"
	"math"
	"time"
)

// What a policy is where neither the trigger nor the engine's options say.
const (
	// DefaultTimeout is how long one attempt of an action may take.
	DefaultTimeout = 10 * time.Second
	// DefaultRetryLimit is how often a failed action is tried again.
	DefaultRetryLimit = 5
	// DefaultBackoffInitial is the wait before the first retry.
	DefaultBackoffInitial = 2 * time.Second
	// DefaultBackoffMax is the longest wait before a retry.
	DefaultBackoffMax = time.Minute
	// DefaultBackoffFactor is by how much each wait is longer than the last.
	DefaultBackoffFactor = 2.0
	// DefaultConcurrency is how many events of one trigger are handled at once.
	DefaultConcurrency = 4
	// DefaultQueueSize is how many events of one trigger are taken and not done.
	DefaultQueueSize = 1000
)

// Jitter is the part of a wait by which it is made longer or shorter at
// random, so that what failed together is not tried again together.
const Jitter = 0.2

// Policy is how a trigger handles events. A field that is zero takes its
// default.
type Policy struct {
	Timeout time.Duration
	Retry   Retry
	// Concurrency bounds how many events are handled at once, all of
	// different keys.
	Concurrency int
	// QueueSize bounds how many events are taken and not done: queued,
	// running, or waiting for a retry. Beyond it the source waits.
	QueueSize int
	// Suspend lets all events pass. They are not handled later either.
	Suspend bool
	// Debounce is how long after an event of a key the next ones are awaited.
	// One event stands for them all, with the latest state; it is handled when
	// that time is over, which later events do not extend. 0: each is handled.
	Debounce time.Duration
	// RateLimit bounds how often actions run.
	RateLimit RateLimit
	// AllowSelfTrigger handles events that the trigger caused by itself.
	AllowSelfTrigger bool
}

// RateLimit is how many runs of a trigger's action, retries among them, may begin
// within any Period. Those beyond it wait. 0 is no limit.
type RateLimit struct {
	Limit  int
	Period time.Duration
}

// MaxRateLimit is the largest Limit of a RateLimit.
const MaxRateLimit = 1_000_000

// Retry is what follows an error that is not terminal.
type Retry struct {
	// Limit is the number of attempts after the first. Nil takes the default;
	// 0 gives up at once.
	Limit   *int
	Backoff Backoff
}

// Backoff is how long to wait before each retry: Initial, then each time
// Factor as long, up to Max; all of it ± Jitter.
type Backoff struct {
	Initial, Max time.Duration
	Factor       float64
}

// delay returns the wait after the nth failure, n from 1. random is from [0,1).
func (b Backoff) delay(n int, random float64) time.Duration {
	wait := min(float64(b.Initial)*math.Pow(b.Factor, float64(n-1)), float64(b.Max))
	return time.Duration(wait * (1 + Jitter*(2*random-1)))
}

// MaxRetryAfter bounds how long an answer can put off the next attempt.
const MaxRetryAfter = 10 * time.Minute

// delayAtLeast is delay, and at least what was asked for, up to MaxRetryAfter; what more,
// so that not all who were asked come together.
func (b Backoff) delayAtLeast(n int, retryAfter time.Duration, random float64) time.Duration {
	wait := b.delay(n, random)
	if retryAfter > wait {
		wait = min(retryAfter, MaxRetryAfter)
		wait += time.Duration(Jitter * random * float64(min(wait, b.Max)))
	}
	return wait
}

func defaultPolicy() Policy {
	limit := DefaultRetryLimit
	return Policy{
		Timeout:     DefaultTimeout,
		Concurrency: DefaultConcurrency,
		QueueSize:   DefaultQueueSize,
		Retry: Retry{Limit: &limit, Backoff: Backoff{
			Initial: DefaultBackoffInitial,
			Max:     DefaultBackoffMax,
			Factor:  DefaultBackoffFactor,
		}},
	}
}

// withDefaults returns p with the fields of q where p leaves them open. A Max that p
// leaves open is at least its Initial.
func (p Policy) withDefaults(q Policy) Policy {
	p.Timeout = firstNonZero(p.Timeout, q.Timeout)
	p.Concurrency = firstNonZero(p.Concurrency, q.Concurrency)
	p.QueueSize = firstNonZero(p.QueueSize, q.QueueSize)
	p.Suspend = p.Suspend || q.Suspend
	p.Debounce = firstNonZero(p.Debounce, q.Debounce)
	p.RateLimit = firstNonZero(p.RateLimit, q.RateLimit)
	p.AllowSelfTrigger = p.AllowSelfTrigger || q.AllowSelfTrigger
	p.Retry.Limit = firstNonZero(p.Retry.Limit, q.Retry.Limit)
	b, c := &p.Retry.Backoff, q.Retry.Backoff
	b.Initial = firstNonZero(b.Initial, c.Initial)
	b.Factor = firstNonZero(b.Factor, c.Factor)
	if b.Max == 0 && c.Max != 0 {
		b.Max = max(c.Max, b.Initial)
	}
	return p
}

func firstNonZero[T comparable](a, b T) T {
	var zero T
	if a != zero {
		return a
	}
	return b
}

// check returns what is wrong with a policy that has no field left open.
func (p Policy) check() error {
	var errs []error
	invalid := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if p.Timeout < 0 {
		invalid("timeout %s: below 0", p.Timeout)
	}
	if p.Concurrency < 0 {
		invalid("concurrency %d: below 0", p.Concurrency)
	}
	if p.QueueSize < 0 {
		invalid("queue size %d: below 0", p.QueueSize)
	}
	if p.Debounce < 0 {
		invalid("debounce %s: below 0", p.Debounce)
	}
	if l := p.RateLimit; l.Limit < 0 || l.Limit > MaxRateLimit || (l.Limit > 0) != (l.Period > 0) {
		invalid("rate limit of %d in %s: not a number up to %d in a time above 0", l.Limit, l.Period, MaxRateLimit)
	}
	if *p.Retry.Limit < 0 {
		invalid("retry limit %d: below 0", *p.Retry.Limit)
	}
	b := p.Retry.Backoff
	if b.Initial < 0 || b.Max < b.Initial {
		invalid("retry backoff from %s to %s: not a range above 0", b.Initial, b.Max)
	}
	if !(b.Factor >= 1) {
		invalid("retry backoff factor %v: below 1", b.Factor)
	}
	return errors.Join(errs...)
}
