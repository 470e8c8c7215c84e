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
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/store"
)

func TestLoad_Damaged(t *testing.T) {
	damage := map[string]func(spec *v1alpha1.TriggerCheckpointSpec){
		"no checkpoint":  func(spec *v1alpha1.TriggerCheckpointSpec) { *spec = v1alpha1.TriggerCheckpointSpec{Format: 1} },
		"shards":         func(spec *v1alpha1.TriggerCheckpointSpec) { spec.Shards = 3 },
		"negative":       func(spec *v1alpha1.TriggerCheckpointSpec) { spec.Shards = -1 << 31 },
		"missing shards": func(spec *v1alpha1.TriggerCheckpointSpec) { spec.Shards = 64 },
		"other name":     func(spec *v1alpha1.TriggerCheckpointSpec) { spec.Name = "nodes" },
		"newer format":   func(spec *v1alpha1.TriggerCheckpointSpec) { spec.Format = 2 },
		"recent":         func(spec *v1alpha1.TriggerCheckpointSpec) { spec.Values[0] ^= 0xff },
		"shard":          func(spec *v1alpha1.TriggerCheckpointSpec) { spec.Values[100] ^= 1 },
		"newer shard":    func(spec *v1alpha1.TriggerCheckpointSpec) { spec.Format = 2 },
		"empty shard":    func(spec *v1alpha1.TriggerCheckpointSpec) { spec.Values = nil },
	}
	for name, change := range damage {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			e := newEnv(t)
			ctx := t.Context()
			s := e.open(t, "first")
			must(t, s.Checkpoints().Save(ctx, "pods", inventory(0, 5_000, 1)))
			must(t, s.Close())
			record := "checkpoint"
			if strings.Contains(name, "shard") && name != "shards" && name != "missing shards" {
				record = "values"
			}
			client, damaged := e.objects(t), &v1alpha1.TriggerCheckpoint{}
			for _, tc := range e.checkpoints(t) {
				if tc.Labels["trigger.oam.dev/record"] == record {
					change(&tc.Spec)
					must(t, client.Update(ctx, &tc))
					damaged = &tc
				}
			}
			s = e.open(t, "second")
			_, err := s.Checkpoints().Load(ctx, "pods")
			want := store.ErrDamaged
			if strings.HasPrefix(name, "newer") {
				want = store.ErrForeign
			}
			if !errors.Is(err, want) || !strings.Contains(err.Error(), "TriggerCheckpoint notify-checkpoint-") {
				t.Errorf("got %v, want %v with the name of the TriggerCheckpoint", err, want)
			}
			if record == "checkpoint" {
				if err := s.Checkpoints().Save(ctx, "pods", inventory(0, 1, 9)); !errors.Is(err, want) {
					t.Errorf("save: got %v, want %v", err, want)
				}
			}
			now := &v1alpha1.TriggerCheckpoint{}
			must(t, client.Get(ctx, types.NamespacedName{Namespace: e.namespace, Name: damaged.Name}, now))
			if now.Generation != damaged.Generation {
				t.Error("the TriggerCheckpoint was modified")
			}
			must(t, s.Close())
		})
	}
}

// TestSave_Edited: a user's change of the TriggerCheckpoints does not fail later writes.
func TestSave_Edited(t *testing.T) {
	e := newEnv(t)
	ctx := t.Context()
	s := e.open(t, "first", oneDeadLetter)
	must(t, s.Checkpoints().Save(ctx, "pods", inventory(0, 5_000, 1)))
	put(t, s, 1)
	put(t, s, 2)
	for _, tc := range e.checkpoints(t) {
		tc.Annotations["edited"] = "yes"
		must(t, e.objects(t).Update(ctx, &tc))
	}
	must(t, s.Checkpoints().Save(ctx, "pods", inventory(5_000, 5_000, 2)))
	put(t, s, 3)
	must(t, s.Close())
	s = e.open(t, "second")
	c, err := s.Checkpoints().Load(ctx, "pods")
	must(t, err)
	if n := dropped(t, s); c.Cursor != "2" || len(c.Values) != 10_000 || n != 2 {
		t.Errorf("position %s with %d objects and %d dropped, want 2 with 10000 and 2", c.Cursor, len(c.Values), n)
	}
	must(t, s.Close())
}
