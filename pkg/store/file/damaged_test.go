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

	"k8s.io/utils/ptr"

	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

// TestOpen_Damaged alters a store at random positions. The store is rejected, or has
// the same content as before, if the altered bytes are not in use.
func TestOpen_Damaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "valid.db")
	fillStore(t, path, 400)
	valid, err := os.ReadFile(path)
	must(t, err)
	s := open(t, path)
	want := dump(t, s)
	must(t, s.Close())

	key, err := os.ReadFile(path + file.KeySuffix)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "damaged.db"+file.KeySuffix), key, 0o600))

	rejected, opened := 0, 0
	try := func(name string, b []byte, mustReject bool) {
		path := filepath.Join(dir, "damaged.db")
		must(t, os.WriteFile(path, b, 0o600))
		s, err := file.Open(t.Context(), path, file.Options{})
		switch {
		case err == nil:
			opened++
			if dump(t, s) != want {
				t.Fatalf("%s: opened with different content", name)
			}
			must(t, s.Close())
			if mustReject {
				t.Fatalf("%s: opened", name)
			}
		case !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrForeign):
			t.Fatalf("%s: %v", name, err)
		default:
			rejected++
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, b) {
				t.Fatalf("%s: rejected, but modified: %v", name, err)
			}
		}
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for n := range 600 {
		b := bytes.Clone(valid)
		// Two of three alterations are in the header and elements of a page.
		offset := random.IntN(len(b))
		if n%3 > 0 {
			offset = offset/4096*4096 + random.IntN(64)
		}
		flip := byte(1) << random.IntN(8)
		b[offset] ^= flip
		try(fmt.Sprintf("byte %d ^ %#x", offset, flip), b, false)
	}
	for n := range 100 {
		b := bytes.Clone(valid)
		from, to := random.IntN(len(b)/4096)*4096, random.IntN(len(b)/4096)*4096
		copy(b[to:to+4096], valid[from:from+4096])
		if n%2 == 0 {
			copy(b[to:to+4096], make([]byte, 4096))
		}
		try(fmt.Sprintf("page %d from %d", to/4096, from/4096), b, false)
	}
	// Pages without their last record, but otherwise valid.
	for offset := 2 * 4096; offset < len(valid); offset += 4096 {
		b := bytes.Clone(valid)
		b[offset+10]--
		try(fmt.Sprintf("page %d without its last record", offset/4096), b, false)
	}
	for range 100 {
		size := random.IntN(len(valid) / 2)
		try(fmt.Sprintf("cut to %d bytes", size), valid[:size], true)
	}
	if rejected < 200 || opened < 50 {
		t.Errorf("%d rejected and %d opened, want at least 200 and 50", rejected, opened)
	}
	t.Logf("%d rejected, %d opened", rejected, opened)
}

func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "seed.db")
	fillStore(f, path, 3)
	valid, err := os.ReadFile(path)
	must(f, err)
	key, err := os.ReadFile(path + file.KeySuffix)
	must(f, err)
	f.Add(0, []byte{})
	f.Add(4096*3+8, []byte{1, 0, 2})
	f.Fuzz(func(t *testing.T, offset int, patch []byte) {
		b := bytes.Clone(valid)
		if offset < 0 || offset > len(b) {
			return
		}
		copy(b[offset:], patch)
		path := filepath.Join(t.TempDir(), "store.db")
		must(t, os.WriteFile(path, b, 0o600))
		must(t, os.WriteFile(path+file.KeySuffix, key, 0o600))
		s, err := file.Open(t.Context(), path, file.Options{})
		if err != nil {
			if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrForeign) {
				t.Fatal(err)
			}
			return
		}
		dump(t, s)
		must(t, s.Checkpoints().Save(t.Context(), "pods", store.Change{Cursor: ptr.To("1")}))
		must(t, s.Close())
	})
}
