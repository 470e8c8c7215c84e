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
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/store"
)

func TestDamaged(t *testing.T) {
	damage := map[string]func(cm *corev1.ConfigMap){
		"mark":               func(cm *corev1.ConfigMap) { cm.Data["mark"] = "{" },
		"no mark":            func(cm *corev1.ConfigMap) { cm.Data = nil },
		"shards":             func(cm *corev1.ConfigMap) { cm.Data["mark"] = `{"format":1,"watch":"pods","shards":3}` },
		"missing shards":     func(cm *corev1.ConfigMap) { cm.Data["mark"] = `{"format":1,"watch":"pods","shards":64}` },
		"other watch":        func(cm *corev1.ConfigMap) { cm.Data["mark"] = `{"format":1,"watch":"nodes"}` },
		"newer format":       func(cm *corev1.ConfigMap) { cm.Data["mark"] = `{"format":2}` },
		"recent":             func(cm *corev1.ConfigMap) { cm.BinaryData["inventory"][0] ^= 0xff },
		"shard":              func(cm *corev1.ConfigMap) { cm.BinaryData["inventory"][100] ^= 1 },
		"no shard's content": func(cm *corev1.ConfigMap) { cm.BinaryData = nil },
	}
	for name, change := range damage {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			b := newEnv(t)
			ctx := t.Context()
			s := b.open(t, "first")
			must(t, s.Save(ctx, "pods", inventory(0, 5_000, 1)))
			must(t, s.Close())
			holds := "mark"
			if strings.Contains(name, "shard") && name != "shards" && name != "missing shards" {
				holds = "inventory"
			}
			var damaged *corev1.ConfigMap
			for _, cm := range b.configMaps(t) {
				if cm.Labels["trigger.oam.dev/record"] == holds {
					change(&cm)
					var err error
					damaged, err = b.client.CoreV1().ConfigMaps(b.namespace).Update(ctx, &cm, metav1.UpdateOptions{})
					must(t, err)
				}
			}
			s = b.open(t, "second")
			_, err := s.Load(ctx, "pods")
			want := store.ErrDamaged
			if name == "newer format" {
				want = store.ErrForeign
			}
			if !errors.Is(err, want) || !strings.Contains(err.Error(), "ConfigMap notify-watch-") {
				t.Errorf("got %v, want %v, naming the ConfigMap", err, want)
			}
			if holds == "mark" {
				if err := s.Save(ctx, "pods", inventory(0, 1, 9)); !errors.Is(err, want) {
					t.Errorf("save: got %v, want %v", err, want)
				}
			}
			now, err := b.client.CoreV1().ConfigMaps(b.namespace).Get(ctx, damaged.Name, metav1.GetOptions{})
			must(t, err)
			if fmt.Sprint(now.Data, now.BinaryData) != fmt.Sprint(damaged.Data, damaged.BinaryData) {
				t.Error("it was written to")
			}
			must(t, s.Close())
		})
	}
}

// TestEdited: what is no writer may touch the objects, and nothing is lost.
func TestEdited(t *testing.T) {
	b := newEnv(t)
	ctx := t.Context()
	s := b.open(t, "first")
	must(t, s.Save(ctx, "pods", inventory(0, 5_000, 1)))
	must(t, s.Record(ctx, store.Run{EventID: "1"}))
	for _, cm := range b.configMaps(t) {
		cm.Annotations["edited"] = "yes"
		_, err := b.client.CoreV1().ConfigMaps(b.namespace).Update(ctx, &cm, metav1.UpdateOptions{})
		must(t, err)
	}
	must(t, s.Save(ctx, "pods", inventory(5_000, 5_000, 2)))
	must(t, s.Record(ctx, store.Run{EventID: "2"}))
	must(t, s.Close())
	s = b.open(t, "second")
	r, err := s.Load(ctx, "pods")
	must(t, err)
	runs, err := s.Runs(ctx)
	must(t, err)
	if r.Position != "2" || len(r.Inventory) != 10_000 || len(runs) != 2 {
		t.Errorf("at %s with %d objects and %d runs", r.Position, len(r.Inventory), len(runs))
	}
	must(t, s.Close())
}
