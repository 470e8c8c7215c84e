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
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, path string) *file.Store {
	t.Helper()
	s, err := file.Open(t.Context(), path, file.Options{})
	must(t, err)
	return s
}

// filled makes a store with some of everything, in several pages.
func filled(t testing.TB, path string, objects int) {
	t.Helper()
	s := open(t, path)
	c := store.Change{Mark: &store.Mark{Position: "9"}, Inventory: map[string]*store.Entry{}}
	for i := range objects {
		c.Inventory["default/object-"+strconv.Itoa(i)] = &store.Entry{UID: fmt.Sprint(i), ResourceVersion: fmt.Sprint(i)}
	}
	must(t, s.Save(t.Context(), "pods", c))
	for i := range 5 {
		ev := event.Event{Source: "webhook", ID: fmt.Sprint(i), Data: map[string]any{"text": strings.Repeat("x", 3000*i)}}
		must(t, s.Accept(t.Context(), ev))
		_, err := s.Bury(t.Context(), store.Letter{Event: ev})
		must(t, err)
		must(t, s.Record(t.Context(), store.Run{EventID: ev.ID}))
	}
	must(t, s.Close())
}

// content is all that a store answers.
func content(t testing.TB, s *file.Store) string {
	t.Helper()
	r, err := s.Load(t.Context(), "pods")
	must(t, err)
	b, err := s.Buried(t.Context())
	must(t, err)
	var letters []store.Letter
	for _, l := range b.Letters {
		whole, err := s.Letter(t.Context(), l.ID)
		must(t, err)
		letters = append(letters, whole)
	}
	runs, err := s.Runs(t.Context())
	must(t, err)
	var events []event.Event
	for ev, err := range s.Spooled(t.Context(), "webhook") {
		must(t, err)
		events = append(events, ev)
	}
	text, err := json.Marshal([]any{r, b, letters, runs, events})
	must(t, err)
	return string(text)
}

func TestCreatedForTheUserAlone(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "store.db")
	must(t, open(t, path).Close())
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	database := func(name string, fill func(tx *bolt.Tx) error, o *bolt.Options) string {
		path := filepath.Join(folder, name)
		db, err := bolt.Open(path, 0o600, o)
		must(t, err)
		for range 2 {
			must(t, db.Update(fill))
		}
		must(t, db.Close())
		return path
	}
	other := func(tx *bolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists([]byte("members"))
		return err
	}
	must(t, os.Mkdir(filepath.Join(folder, "folder"), 0o700))
	must(t, syscall.Mkfifo(filepath.Join(folder, "pipe"), 0o600))
	for name, c := range map[string]struct {
		path string
		err  error
		says string
	}{
		"directory":       {filepath.Join(folder, "folder"), store.ErrForeign, "directory"},
		"pipe":            {filepath.Join(folder, "pipe"), store.ErrForeign, "not a regular file"},
		"empty":           {write("empty", ""), store.ErrForeign, "empty"},
		"one byte":        {write("byte", "x"), store.ErrForeign, "empty or short"},
		"text":            {write("text", strings.Repeat("not a store\n", 4000)), store.ErrForeign, "another kind"},
		"zeroes":          {write("zeroes", strings.Repeat("\x00", 1<<16)), store.ErrForeign, "another kind"},
		"other database":  {database("other", other, &bolt.Options{NoFreelistSync: true, PageSize: 4096}), store.ErrForeign, "another program"},
		"other options":   {database("synced", other, &bolt.Options{PageSize: 4096}), store.ErrForeign, "another program"},
		"other page size": {database("pages", other, &bolt.Options{PageSize: 8192}), store.ErrForeign, ""},
		"no folder":       {filepath.Join(folder, "none", "store.db"), os.ErrNotExist, "create"},
		"below a file":    {filepath.Join(write("file", "x"), "store.db"), syscall.ENOTDIR, ""},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			before, _ := os.ReadFile(regular(c.path))
			s, err := file.Open(t.Context(), c.path, file.Options{})
			if err == nil {
				t.Fatal("opened", s.Close())
			}
			if !errors.Is(err, c.err) && !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), c.says) || strings.Count(err.Error(), c.path) != 1 {
				t.Errorf("got %v, want %v that says %q and the path once", err, c.err, c.says)
			}
			if after, _ := os.ReadFile(regular(c.path)); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

// regular returns path, or nothing where reading it would wait for ever.
func regular(path string) string {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	path := filepath.Join(t.TempDir(), "store.db")
	must(t, open(t, path).Close())
	must(t, os.Chmod(path, 0))
	if _, err := file.Open(t.Context(), path, file.Options{}); !errors.Is(err, os.ErrPermission) {
		t.Errorf("got %v, want no permission", err)
	}
}

func TestNewerFormat(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	filled(t, path, 10)
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: true})
	must(t, err)
	must(t, db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(file.BucketName)).Put([]byte("A"), file.Seal([]byte(`{"format":2,"new":true}`), 'A'))
	}))
	must(t, db.Close())
	before, err := os.ReadFile(path)
	must(t, err)
	_, err = file.Open(t.Context(), path, file.Options{})
	if !errors.Is(err, store.ErrForeign) || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("got %v, want that format 2 is foreign", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Error("the file was changed", err)
	}
}

// TestDamaged alters a store everywhere: it is refused, or answers as before,
// where what was altered is not in use.
func TestDamaged(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "sound.db")
	filled(t, path, 400)
	sound, err := os.ReadFile(path)
	must(t, err)
	s := open(t, path)
	want := content(t, s)
	must(t, s.Close())

	refused, opened := 0, 0
	try := func(what string, b []byte, mustRefuse bool) {
		path := filepath.Join(folder, "damaged.db")
		must(t, os.WriteFile(path, b, 0o600))
		s, err := file.Open(t.Context(), path, file.Options{})
		switch {
		case err == nil:
			opened++
			if content(t, s) != want {
				t.Fatalf("%s: opened with other content", what)
			}
			must(t, s.Close())
			if mustRefuse {
				t.Fatalf("%s: opened", what)
			}
		case !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrForeign):
			t.Fatalf("%s: %v", what, err)
		default:
			refused++
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, b) {
				t.Fatalf("%s: refused, but changed: %v", what, err)
			}
		}
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for n := range 600 {
		b := bytes.Clone(sound)
		// Every page, its header and elements more often than the rest.
		at := random.IntN(len(b))
		if n%3 > 0 {
			at = at/4096*4096 + random.IntN(64)
		}
		flip := byte(1) << random.IntN(8)
		b[at] ^= flip
		try(fmt.Sprintf("byte %d ^ %#x", at, flip), b, false)
	}
	for n := range 100 {
		b := bytes.Clone(sound)
		from, to := random.IntN(len(b)/4096)*4096, random.IntN(len(b)/4096)*4096
		copy(b[to:to+4096], sound[from:from+4096])
		if n%2 == 0 {
			copy(b[to:to+4096], make([]byte, 4096))
		}
		try(fmt.Sprintf("page %d from %d", to/4096, from/4096), b, false)
	}
	for range 100 {
		size := random.IntN(len(sound) / 2)
		try(fmt.Sprintf("cut to %d bytes", size), sound[:size], true)
	}
	if refused < 200 || opened < 50 {
		t.Errorf("%d refused and %d opened: the alterations are not spread", refused, opened)
	}
	t.Logf("%d refused, %d opened", refused, opened)
}

func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "seed.db")
	filled(f, path, 3)
	sound, err := os.ReadFile(path)
	must(f, err)
	f.Add(0, []byte{})
	f.Add(4096*3+8, []byte{1, 0, 2})
	f.Fuzz(func(t *testing.T, at int, patch []byte) {
		b := bytes.Clone(sound)
		if at < 0 || at > len(b) {
			return
		}
		copy(b[at:], patch)
		path := filepath.Join(t.TempDir(), "store.db")
		must(t, os.WriteFile(path, b, 0o600))
		s, err := file.Open(t.Context(), path, file.Options{})
		if err != nil {
			if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrForeign) {
				t.Fatal(err)
			}
			return
		}
		content(t, s)
		must(t, s.Save(t.Context(), "pods", store.Change{Mark: &store.Mark{Position: "1"}}))
		must(t, s.Close())
	})
}

// TestSecondProcess opens a store that another process has open, and again
// after that was killed while it wrote.
func TestSecondProcess(t *testing.T) {
	if path := os.Getenv("KUBE_TRIGGER_TEST_STORE"); path != "" {
		s := open(t, path)
		for n := 1; ; n++ {
			must(t, s.Save(t.Context(), "pods", store.Change{
				Mark:      &store.Mark{Position: strconv.Itoa(n)},
				Inventory: map[string]*store.Entry{strconv.Itoa(n): {ResourceVersion: strconv.Itoa(n)}},
			}))
			if _, err := fmt.Println("saved", n); err != nil {
				return
			}
		}
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSecondProcess$")
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
		t.Errorf("got %v, want that %s is locked", err, path)
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
	r, err := s.Load(t.Context(), "pods")
	must(t, err)
	position, err := strconv.Atoi(r.Position)
	must(t, err)
	if position < saved || len(r.Inventory) != position {
		t.Errorf("at %d with %d objects after %d were saved", position, len(r.Inventory), saved)
	}
	must(t, s.Close())
}

// TestCreatedAtOnce lets several create the same store: each gets it, one after
// the other.
func TestCreatedAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	errs := make(chan error)
	const several = 8
	for n := range several {
		go func() {
			s, err := file.Open(t.Context(), path, file.Options{LockWait: time.Minute})
			if err == nil {
				err = errors.Join(s.Save(t.Context(), strconv.Itoa(n), store.Change{Mark: &store.Mark{Position: "1"}}), s.Close())
			}
			errs <- err
		}()
	}
	for range several {
		must(t, <-errs)
	}
	s := open(t, path)
	watches, err := s.Watches(t.Context())
	must(t, err)
	if len(watches) != several {
		t.Errorf("%d of %d are there", len(watches), several)
	}
	must(t, s.Close())
}

func TestClosed(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "store.db"))
	must(t, s.Close())
	if err := s.Save(t.Context(), "pods", store.Change{}); !errors.Is(err, bolt.ErrDatabaseNotOpen) {
		t.Errorf("got %v, want that it is not open", err)
	}
	select {
	case <-s.Lost():
		t.Error("lost")
	default:
	}
}
