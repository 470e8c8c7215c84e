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
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

// TestDamaged alters a store everywhere: it is refused, or answers as before,
// where what was altered is not in use.
func TestDamaged(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "sound.db")
	fillStore(t, path, 400)
	sound, err := os.ReadFile(path)
	must(t, err)
	s := open(t, path)
	want := dump(t, s)
	must(t, s.Close())

	refused, opened := 0, 0
	try := func(what string, b []byte, mustRefuse bool) {
		path := filepath.Join(folder, "damaged.db")
		must(t, os.WriteFile(path, b, 0o600))
		s, err := file.Open(t.Context(), path, file.Options{})
		switch {
		case err == nil:
			opened++
			if dump(t, s) != want {
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
	// Pages that are sound, but have lost their last record.
	for at := 2 * 4096; at < len(sound); at += 4096 {
		b := bytes.Clone(sound)
		b[at+10]--
		try(fmt.Sprintf("page %d without its last record", at/4096), b, false)
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
	fillStore(f, path, 3)
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
		dump(t, s)
		must(t, s.Save(t.Context(), "pods", store.Change{Watermark: &store.Watermark{Position: "1"}}))
		must(t, s.Close())
	})
}
