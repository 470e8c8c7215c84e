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

package app

import (
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/utils/ptr"

	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

// TestStores_Prune deletes the checkpoints that no trigger uses, but not those of unknown
// source types, which a later version may have written.
func TestStores_Prune(t *testing.T) {
	s, err := file.Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), file.Options{Owner: "o"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for _, name := range []string{"webhook:a/b", "uid resource-watcher:v1/ConfigMap", "kafka:a/b", "uid stream:x", "other"} {
		if err := s.Checkpoints().Save(t.Context(), name, store.Change{Cursor: ptr.To("1")}); err != nil {
			t.Fatal(err)
		}
	}
	c := clients{}
	if err := (stores{store: s}).prune(t.Context(), nil, c.sources()); err != nil {
		t.Fatal(err)
	}
	names, err := s.Checkpoints().List(t.Context())
	if want := []string{"kafka:a/b", "other", "uid stream:x"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("got %q, %v, want %q", names, err, want)
	}
}
