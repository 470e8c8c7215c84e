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

package cluster_test

import (
	"strconv"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// BenchmarkSave saves 100 changed objects of 50,000, a typical batch of a Saver.
func BenchmarkSave(b *testing.B) {
	s := newEnv(b).open(b, "first")
	must(b, s.Checkpoints().Save(b.Context(), "pods", inventory(0, 50_000, 1)))
	for i := 0; b.Loop(); i++ {
		must(b, s.Checkpoints().Save(b.Context(), "pods", inventory(i*100%50_000, 100, i)))
	}
	must(b, s.Close())
}

// BenchmarkLoad loads 50,000 objects.
func BenchmarkLoad(b *testing.B) {
	s := newEnv(b).open(b, "first")
	must(b, s.Checkpoints().Save(b.Context(), "pods", inventory(0, 50_000, 1)))
	for b.Loop() {
		r, err := s.Checkpoints().Load(b.Context(), "pods")
		must(b, err)
		if len(r.Values) != 50_000 {
			b.Fatal(len(r.Values))
		}
	}
	must(b, s.Close())
}

// BenchmarkEnqueue enqueues and acknowledges one event at a time.
func BenchmarkEnqueue(b *testing.B) {
	s := newEnv(b).open(b, "first")
	for i := 0; b.Loop(); i++ {
		ev := event.Event{Source: "webhook", ID: strconv.Itoa(i), Data: map[string]any{"body": "x"}}
		must(b, s.Queue().Enqueue(b.Context(), ev))
		must(b, s.Queue().Ack(b.Context(), ev.Source, ev.ID))
	}
	must(b, s.Close())
}

// BenchmarkPutDeadLetter stores dead letters at the limit: each one drops another.
func BenchmarkPutDeadLetter(b *testing.B) {
	s := newEnv(b).open(b, "first")
	put := func(i int) {
		_, err := s.DeadLetters().Put(b.Context(), store.DeadLetter{Event: event.Event{ID: strconv.Itoa(i), Data: map[string]any{"x": "y"}}})
		must(b, err)
	}
	for i := range 1000 {
		put(i)
	}
	for i := 1000; b.Loop(); i++ {
		put(i)
	}
	must(b, s.Close())
}
