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

package file_test

import (
	"errors"
	"maps"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// TestEnqueue_DiskFull mounts a small file system, which requires root.
func TestEnqueue_DiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("cannot mount a file system: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(dir, 0)) })
	path := filepath.Join(dir, "store.db")
	s := open(t, path)
	stored := map[string]bool{}
	var full error
	for n := 0; full == nil && n < 1000; n++ {
		ev := event.Event{Source: "webhook", ID: strconv.Itoa(n), Data: map[string]any{"x": strings.Repeat("x", 100_000)}}
		if full = s.Queue().Enqueue(t.Context(), ev); full == nil {
			stored[ev.ID] = true
		}
	}
	if !errors.Is(full, syscall.ENOSPC) {
		t.Fatalf("after %d events: %v, want disk full", len(stored), full)
	}
	check := func() {
		t.Helper()
		missing := maps.Clone(stored)
		for ev, err := range s.Queue().Pending(t.Context(), "webhook") {
			must(t, err)
			delete(missing, ev.ID)
		}
		if len(missing) > 0 {
			t.Fatalf("lost %v", missing)
		}
	}
	check()
	must(t, s.Close())
	s = open(t, path)
	check()
	for id := range stored {
		if err := s.Queue().Ack(t.Context(), "webhook", id); err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	must(t, s.Close())
}
