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

package main

import (
	"errors"
	"os"
	"testing"

	"controlplane/internal/lock"
)

func TestScratch_KilledProcess(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	alive, err := newScratch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	killed, err := newScratch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := killed.lock.Release(); err != nil { // the kernel does this when a process ends
		t.Fatal(err)
	}
	next, err := newScratch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(killed.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("folder of the killed process: got %v, want not found", err)
	}
	for _, s := range []scratch{alive, next} {
		if _, err := os.Stat(s.path); err != nil {
			t.Errorf("folder in use: got %v, want a folder", err)
		}
		if err := s.remove(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(s.path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("removed folder: got %v, want not found", err)
		}
	}
}

func TestBackground_Stale(t *testing.T) {
	b := background{dir: t.TempDir()}
	if running, err := b.running(); running || err != nil {
		t.Errorf("without a supervisor: got %v, %v, want false", running, err)
	}
	held, err := lock.Try(b.path(lockName))
	if err != nil {
		t.Fatal(err)
	}
	if running, err := b.running(); !running || err != nil {
		t.Errorf("with a supervisor: got %v, %v, want true", running, err)
	}
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	if running, err := b.running(); running || err != nil {
		t.Errorf("after a crash: got %v, %v, want false", running, err)
	}
}
