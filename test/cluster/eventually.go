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

package cluster

import (
	"context"
	"errors"
	"testing"
	"time"
)

// WaitTimeout is the timeout of Eventually. It is long because tests also run on busy
// machines.
const WaitTimeout = 2 * time.Minute

// pollInterval is the time between two polls.
const pollInterval = 20 * time.Millisecond

// Eventually calls check repeatedly until it returns nil. After WaitTimeout, when the
// context of check ends, it fails the test with "wait for <state>: " and the last error
// before the timeout.
func Eventually(t testing.TB, state string, check func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), WaitTimeout)
	defer cancel()
	last := errors.New("not checked")
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			t.Fatalf("wait for %s: %v", state, last)
		case <-time.After(pollInterval):
		}
	}
}

// Receive returns the next value of ch, or the zero value if ch is closed. After WaitTimeout
// it fails the test with "wait for <what>".
func Receive[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(WaitTimeout):
		t.Fatalf("wait for %s: got nothing within %s", what, WaitTimeout)
	}
	var none T
	return none
}
