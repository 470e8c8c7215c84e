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
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"k8s.io/utils/ptr"

	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

// TestOpen_SecondProcess opens a store that another process has open, and again after
// that process was killed while it was writing.
func TestOpen_SecondProcess(t *testing.T) {
	if path := os.Getenv("KUBE_TRIGGER_TEST_STORE"); path != "" {
		s := open(t, path)
		for n := 1; ; n++ {
			must(t, s.Checkpoints().Save(t.Context(), "pods", store.Change{
				Cursor: ptr.To(strconv.Itoa(n)),
				Values: map[string][]byte{strconv.Itoa(n): []byte(strconv.Itoa(n))},
			}))
			if _, err := fmt.Fprintln(os.Stdout, "saved", n); err != nil {
				return
			}
		}
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOpen_SecondProcess$")
	cmd.Env = append(os.Environ(), "KUBE_TRIGGER_TEST_STORE="+path)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	saved := 0
	for saved < 20 {
		if _, err := fmt.Fscanf(out, "saved %d\n", &saved); err != nil {
			t.Fatal(err)
		}
	}
	_, err = file.Open(t.Context(), path, file.Options{LockWait: 50 * time.Millisecond})
	var locked *file.LockedError
	if !errors.As(err, &locked) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want %s locked", err, path)
	} else if locked.PID != cmd.Process.Pid && locked.PID != 0 {
		t.Errorf("locked by %d, want %d", locked.PID, cmd.Process.Pid)
	}
	must(t, cmd.Process.Kill())
	for {
		if _, err := fmt.Fscanf(out, "saved %d\n", &saved); err != nil {
			break
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("not killed")
	}

	s := open(t, path)
	c, err := s.Checkpoints().Load(t.Context(), "pods")
	must(t, err)
	position, err := strconv.Atoi(c.Cursor)
	must(t, err)
	if position < saved || len(c.Values) != position {
		t.Errorf("position %d with %d objects, after %d saves", position, len(c.Values), saved)
	}
	must(t, s.Close())
}

// TestOpen_ConcurrentCreate creates the same store concurrently. All calls open it, one
// after the other.
func TestOpen_ConcurrentCreate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	errs := make(chan error)
	const writers = 8
	for n := range writers {
		go func() {
			s, err := file.Open(t.Context(), path, file.Options{LockWait: time.Minute})
			if err == nil {
				err = errors.Join(s.Checkpoints().Save(t.Context(), strconv.Itoa(n), store.Change{Cursor: ptr.To("1")}), s.Close())
			}
			errs <- err
		}()
	}
	for range writers {
		must(t, <-errs)
	}
	s := open(t, path)
	watches, err := s.Checkpoints().List(t.Context())
	must(t, err)
	if len(watches) != writers {
		t.Errorf("%d of %d checkpoints", len(watches), writers)
	}
	must(t, s.Close())
}

func TestStore_Closed(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "store.db"))
	must(t, s.Close())
	if err := s.Checkpoints().Save(t.Context(), "pods", store.Change{}); !errors.Is(err, bolt.ErrDatabaseNotOpen) {
		t.Errorf("got %v, want not open", err)
	}
	select {
	case <-s.Lost():
		t.Error("Lost is closed")
	default:
	}
}
