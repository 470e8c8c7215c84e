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

package resource

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

// TestRestore_Format1 restores the checkpoints of a store that c55143b has written: of a
// watch with three objects, one tombstone and three triggers, and of a derived watch.
func TestRestore_Format1(t *testing.T) {
	checkpoints := openFormat1(t)
	names, err := checkpoints.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	objects, tombstones, states := 0, 0, 0
	for _, name := range names {
		if !strings.Contains(name, " "+Type+":") {
			continue
		}
		c, err := checkpoints.Load(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		for value, b := range c.Values {
			if !strings.HasPrefix(value, objectPrefix) {
				continue
			}
			o, err := decodeObject(b)
			switch {
			case err != nil:
				t.Error(value, err)
			case isTombstone(o):
				tombstones++
			case o.uid == "" || versionOf(o.resourceVersion)&hashed != 0:
				t.Errorf("%s: %v", value, o)
			default:
				objects++
			}
			if len(o.state) > 0 && o.state[0] == encodedState {
				states++
			}
		}
		if strings.Contains(name, "v1/ConfigMap") {
			wantTriggersOfFormat1(t, c)
		}
	}
	if objects != 4 || tombstones != 1 || states != 1 {
		t.Errorf("%d objects, %d of them of a derived source, and %d tombstones; want 4, 1 and 1", objects, states, tombstones)
	}
}

func wantTriggersOfFormat1(t *testing.T, c store.Checkpoint) {
	t.Helper()
	s := newSubscribers(nil)
	refs := []event.TriggerRef{{Name: "first", Namespace: "team"}, {Name: "second"}, {Name: "added", Namespace: "team"}, {Name: "new"}}
	for _, ref := range refs {
		s.list = append(s.list, &subscriber{trigger: ref, sync: true})
	}
	s.load(c.Values, true)
	first, second, added, latest := s.list[0], s.list[1], s.list[2], s.list[3]
	if first.isNew || first.syncedTo != maxKey || first.startsAfter != 0 || second.isNew || second.syncedTo != "" ||
		added.isNew || !versionOf(c.Cursor).before(added.startsAfter) || !latest.isNew {
		t.Errorf("triggers %+v %+v %+v %+v", first, second, added, latest)
	}
}

func openFormat1(t *testing.T) store.Checkpoints {
	t.Helper()
	f, err := os.Open("../../store/testdata/store.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "store.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := file.Open(t.Context(), path, file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s.Checkpoints()
}
