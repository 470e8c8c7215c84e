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

// TestDiskFull needs a file system of its own, so it runs for root alone.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("no file system to fill: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(folder, 0)) })
	path := filepath.Join(folder, "store.db")
	s := open(t, path)
	kept := map[string]bool{}
	var full error
	for n := 0; full == nil && n < 1000; n++ {
		ev := event.Event{Source: "webhook", ID: strconv.Itoa(n), Data: map[string]any{"x": strings.Repeat("x", 100_000)}}
		if full = s.Enqueue(t.Context(), ev); full == nil {
			kept[ev.ID] = true
		}
	}
	if !errors.Is(full, syscall.ENOSPC) {
		t.Fatalf("after %d events: %v, want that the disk is full", len(kept), full)
	}
	check := func() {
		t.Helper()
		left := maps.Clone(kept)
		for ev, err := range s.Queued(t.Context(), "webhook") {
			must(t, err)
			delete(left, ev.ID)
		}
		if len(left) > 0 {
			t.Fatalf("lost %v", left)
		}
	}
	check()
	must(t, s.Close())
	s = open(t, path)
	check()
	for id := range kept {
		if err := s.Ack(t.Context(), "webhook", id); err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	must(t, s.Close())
}
