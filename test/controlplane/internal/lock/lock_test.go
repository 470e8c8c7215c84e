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

package lock

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

func TestTry_Held(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "lock")
	held, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Try(path); !errors.Is(err, ErrHeld) {
		t.Errorf("second holder: got %v, want %v", err, ErrHeld)
	}
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	again, err := Try(path)
	if err != nil {
		t.Fatalf("after release: %v", err)
	}
	if err := again.Release(); err != nil {
		t.Error(err)
	}
}

func TestAcquire_Waits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	waited := 0
	next, err := Acquire(t.Context(), path, func() {
		waited++
		if err := held.Release(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if waited != 1 {
		t.Errorf("waiting: got %d calls, want 1", waited)
	}
	defer func() {
		if err := next.Release(); err != nil {
			t.Error(err)
		}
	}()

	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("canceled")
	if _, err := Acquire(ctx, path, func() { cancel(cause) }); !errors.Is(err, cause) {
		t.Errorf("canceled wait: got %v, want %v", err, cause)
	}
}
