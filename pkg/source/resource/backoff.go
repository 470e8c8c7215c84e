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

package resource

import (
	"context"
	"math/rand/v2"
	"time"

	"k8s.io/utils/clock"
)

const (
	backoffInitial = 100 * time.Millisecond
	backoffMax     = 30 * time.Second
)

// backoff computes the delays between failing attempts. The delay doubles each time, up
// to backoffMax, with a jitter of ±50%.
type backoff struct{ failures int }

// next returns the delay before the next attempt.
func (b *backoff) next() time.Duration {
	d := backoffMax
	if b.failures < 10 {
		d = min(d, backoffInitial<<b.failures)
	}
	b.failures++
	return d/2 + rand.N(d)
}

func (b *backoff) reset() { b.failures = 0 }

// wait waits for d, and reports whether d passed before ctx ended.
func wait(ctx context.Context, c clock.Clock, d time.Duration) bool {
	t := c.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C():
		return true
	}
}
