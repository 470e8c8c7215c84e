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

package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func (s *saverHarness) wantAcked(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, func() error {
		s.store.mu.Lock()
		defer s.store.mu.Unlock()
		if diff := cmp.Diff(want, slices.Sorted(slices.Values(s.store.acked))); diff != "" {
			return errors.New(diff)
		}
		return nil
	})
}

// TestSaverReleasesLast: an event leaves the spool after what was saved before.
func TestSaverReleasesLast(t *testing.T) {
	t.Parallel()
	s := newSaverHarness(t, time.Second, 4)
	s.saveWatermark(1)
	s.Ack("hook", "a")
	s.saveWatermark(2)
	s.Ack("hook", "b")
	s.wantAcked(t, "hook/a after 1", "hook/b after 1")
	s.end()
	must(t, <-s.ended)
}

// TestSaverRepeatsReleases: while the store fails, events stay; then each leaves
// once, those at the end, too.
func TestSaverRepeatsReleases(t *testing.T) {
	t.Parallel()
	s := newSaverHarness(t, time.Second, 300)
	s.store.fail(errors.New("broken"))
	var want []string
	for n := range 100 {
		s.Ack("hook", fmt.Sprintf("%03d", n))
		want = append(want, fmt.Sprintf("hook/%03d after 2", n)) // the second succeeds
	}
	s.wantTimers(t, true)
	s.clock.Step(5 * time.Second)
	s.wantError(t)
	s.saveWatermark(1)
	s.wantTimers(t, true)
	s.clock.Step(5 * time.Second)
	s.wantError(t)
	s.wantAcked(t)
	s.store.fail(nil)
	s.end()
	must(t, <-s.ended)
	s.wantAcked(t, want...)
}
