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
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"
)

// Defaults of a policy, for fields that neither the trigger nor the engine's
// options set.
const (
	// DefaultTimeout is the timeout of one attempt of an action.
	DefaultTimeout = 10 * time.Second
	// DefaultRetryLimit is the number of retries of a failed action.
	DefaultRetryLimit = 5
	// DefaultBackoffInitial is the wait before the first retry.
	DefaultBackoffInitial = 2 * time.Second
	// DefaultBackoffMax is the longest wait between two retries.
	DefaultBackoffMax = time.Minute
	// DefaultBackoffFactor is the factor between two consecutive waits.
	DefaultBackoffFactor = 2.0
	// DefaultConcurrency is the number of events that one trigger handles at the
	// same time.
	DefaultConcurrency = 4
	// DefaultQueueSize is the number of events of one trigger that are in
	// progress.
	DefaultQueueSize = 1000
)

// Jitter is the fraction by which each wait is randomly shortened or extended, so
// that events that failed together are not retried together.
const Jitter = 0.2

// Policy configures how a trigger handles events. Zero fields take their
// defaults.
type Policy struct {
	Timeout time.Duration
	Retry   Retry
	// Concurrency is the maximum number of events, all of different keys, that
	// are handled at the same time.
	Concurrency int
	// QueueSize is the maximum number of events in progress: queued, running, or
	// waiting for a retry. The source waits while the queue is full.
	QueueSize int
	// Suspend drops all events. They are not handled later either.
	Suspend bool
	// Debounce is the length of the window in which events of one key are merged
	// into one event with the latest state. It starts with the first event, and
	// later events do not extend it. 0 disables debouncing.
	Debounce time.Duration
	// RateLimit limits the runs of the action.
	RateLimit RateLimit
	// AllowSelfTrigger handles events that the trigger's own action caused.
	AllowSelfTrigger bool
}

// RateLimit is the maximum number of runs of the action, including retries, that
// may start within any Period. Further runs wait. A Limit of 0 disables it.
type RateLimit struct {
	Limit  int
	Period time.Duration
}

// MaxRateLimit is the maximum Limit of a RateLimit.
const MaxRateLimit = 1_000_000

// Retry configures the retries after an error that is not terminal.
type Retry struct {
	// Limit is the number of retries after the first attempt. Nil takes the
	// default; 0 disables retries.
	Limit   *int
	Backoff Backoff
}

// Backoff computes the wait before each retry: Initial, multiplied by Factor
// after each failure, up to Max, ± Jitter.
type Backoff struct {
	Initial, Max time.Duration
	Factor       float64
}

// delay returns the wait after the nth failure, for n from 1. random is in [0,1).
func (b Backoff) delay(n int, random float64) time.Duration {
	wait := min(float64(b.Initial)*math.Pow(b.Factor, float64(n-1)), float64(b.Max))
	return time.Duration(wait * (1 + Jitter*(2*random-1)))
}

// MaxRetryAfter is the maximum wait that a server can request.
const MaxRetryAfter = 10 * time.Minute

// delayAtLeast returns delay, or retryAfter if that is longer, up to
// MaxRetryAfter. A random part is added to retryAfter, so that clients that got
// the same answer do not return together.
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

// withDefaults returns p with unset fields taken from q. A Max that is unset in p
// is at least p's Initial.
func (p Policy) withDefaults(q Policy) Policy {
	p.Timeout = cmp.Or(p.Timeout, q.Timeout)
	p.Concurrency = cmp.Or(p.Concurrency, q.Concurrency)
	p.QueueSize = cmp.Or(p.QueueSize, q.QueueSize)
	p.Suspend = p.Suspend || q.Suspend
	p.Debounce = cmp.Or(p.Debounce, q.Debounce)
	p.RateLimit = cmp.Or(p.RateLimit, q.RateLimit)
	p.AllowSelfTrigger = p.AllowSelfTrigger || q.AllowSelfTrigger
	p.Retry.Limit = cmp.Or(p.Retry.Limit, q.Retry.Limit)
	b, c := &p.Retry.Backoff, q.Retry.Backoff
	b.Initial = cmp.Or(b.Initial, c.Initial)
	b.Factor = cmp.Or(b.Factor, c.Factor)
	if b.Max == 0 && c.Max != 0 {
		b.Max = max(c.Max, b.Initial)
	}
	return p
}

// check returns all invalid settings. All fields must be set.
func (p Policy) check() error {
	var errs []error
	invalid := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if p.Timeout < 0 {
		invalid("timeout %s: must not be negative", p.Timeout)
	}
	if p.Concurrency < 0 {
		invalid("concurrency %d: must not be negative", p.Concurrency)
	}
	if p.QueueSize < 0 {
		invalid("queue size %d: must not be negative", p.QueueSize)
	}
	if p.Debounce < 0 {
		invalid("debounce %s: must not be negative", p.Debounce)
	}
	if l := p.RateLimit; l.Limit < 0 || l.Limit > MaxRateLimit || (l.Limit > 0) != (l.Period > 0) {
		invalid("rate limit %d per %s: the limit must be 1 to %d, the period positive", l.Limit, l.Period, MaxRateLimit)
	}
	if *p.Retry.Limit < 0 {
		invalid("retry limit %d: must not be negative", *p.Retry.Limit)
	}
	b := p.Retry.Backoff
	if b.Initial < 0 || b.Max < b.Initial {
		invalid("retry backoff from %s to %s: must not be negative, and the maximum not below the initial wait", b.Initial, b.Max)
	}
	if !(b.Factor >= 1) {
		invalid("retry backoff factor %v: must be at least 1", b.Factor)
	}
	return errors.Join(errs...)
}
