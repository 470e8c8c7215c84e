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
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"k8s.io/utils/ptr"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

// largeChange returns a change with values like those of the API server.
func largeChange(objects int) store.Change {
	c := store.Change{Cursor: ptr.To("1"), Values: map[string][]byte{}}
	for i := range objects {
		c.Values[fmt.Sprintf("object/namespace-%d/object-%d", i%100, i)] = fmt.Appendf(nil, "%029x", i*2654435761)
	}
	return c
}

// BenchmarkSave saves one changed object among 50,000.
func BenchmarkSave(b *testing.B) {
	path := filepath.Join(b.TempDir(), "store.db")
	s := open(b, path)
	all := largeChange(50_000)
	must(b, s.Checkpoints().Save(b.Context(), "pods", all))
	for i := 0; b.Loop(); i++ {
		key := fmt.Sprintf("object/namespace-%d/object-%d", i*7%100, i*7%50_000)
		must(b, s.Checkpoints().Save(b.Context(), "pods", store.Change{
			Cursor: ptr.To(strconv.Itoa(i)), Values: map[string][]byte{key: all.Values["object/namespace-1/object-1"]},
		}))
	}
	info, err := os.Stat(path)
	must(b, err)
	b.ReportMetric(float64(info.Size())/50_000, "B/object")
	must(b, s.Close())
}

// BenchmarkSaveAll saves 50,000 objects at once.
func BenchmarkSaveAll(b *testing.B) {
	all := largeChange(50_000)
	s := open(b, filepath.Join(b.TempDir(), "store.db"))
	for i := 0; b.Loop(); i++ {
		must(b, s.Checkpoints().Save(b.Context(), strconv.Itoa(i), all))
	}
	must(b, s.Close())
}

// BenchmarkOpen opens a store of 50,000 objects and loads them.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "store.db")
	s := open(b, path)
	must(b, s.Checkpoints().Save(b.Context(), "pods", largeChange(50_000)))
	must(b, s.Close())
	for b.Loop() {
		s, err := file.Open(b.Context(), path, file.Options{})
		must(b, err)
		r, err := s.Checkpoints().Load(b.Context(), "pods")
		must(b, err)
		if len(r.Values) != 50_000 {
			b.Fatal(len(r.Values))
		}
		must(b, s.Close())
	}
}

// BenchmarkEnqueue enqueues events from 32 goroutines.
func BenchmarkEnqueue(b *testing.B) {
	s, err := file.Open(b.Context(), filepath.Join(b.TempDir(), "store.db"), file.Options{Limits: store.Limits{Queue: 1 << 30}})
	must(b, err)
	b.SetParallelism(16)
	ids := make(chan string, 1000)
	go func() {
		defer close(ids)
		for i := 0; b.Context().Err() == nil; i++ {
			select {
			case ids <- strconv.Itoa(i):
			case <-b.Context().Done():
			}
		}
	}()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.Queue().Enqueue(b.Context(), event.Event{Source: "webhook", ID: <-ids, Data: map[string]any{"body": "x"}}); err != nil {
				b.Error(err)
			}
		}
	})
	must(b, s.Close())
}
