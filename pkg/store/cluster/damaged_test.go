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
	"github.com/kubevela/kube-trigger/pkg/store/cluster"
)

func TestLoad_Damaged(t *testing.T) {
	damage := map[string]func(cm *corev1.ConfigMap){
		"checkpoint":     func(cm *corev1.ConfigMap) { cm.Data["checkpoint"] = "{" },
		"no checkpoint":  func(cm *corev1.ConfigMap) { cm.Data = nil },
		"shards":         func(cm *corev1.ConfigMap) { cm.Data["checkpoint"] = `{"format":2,"name":"pods","shards":3}` },
		"missing shards": func(cm *corev1.ConfigMap) { cm.Data["checkpoint"] = `{"format":2,"name":"pods","shards":64}` },
		"other name":     func(cm *corev1.ConfigMap) { cm.Data["checkpoint"] = `{"format":2,"name":"nodes"}` },
		"newer format":   func(cm *corev1.ConfigMap) { cm.Data["checkpoint"] = `{"format":3}` },
		"recent":         func(cm *corev1.ConfigMap) { cm.BinaryData["values"][0] ^= 0xff },
		"shard":          func(cm *corev1.ConfigMap) { cm.BinaryData["values"][100] ^= 1 },
		"empty shard":    func(cm *corev1.ConfigMap) { cm.BinaryData = nil },
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
			var damaged *corev1.ConfigMap
			for _, cm := range e.configMaps(t) {
				if cm.Labels["trigger.oam.dev/record"] == record {
					change(&cm)
					var err error
					damaged, err = e.client.CoreV1().ConfigMaps(e.namespace).Update(ctx, &cm, metav1.UpdateOptions{})
					must(t, err)
				}
			}
			s = e.open(t, "second")
			_, err := s.Checkpoints().Load(ctx, "pods")
			want := store.ErrDamaged
			if name == "newer format" {
				want = store.ErrForeign
			}
			if !errors.Is(err, want) || !strings.Contains(err.Error(), "ConfigMap notify-checkpoint-") {
				t.Errorf("got %v, want %v with the name of the ConfigMap", err, want)
			}
			if record == "checkpoint" {
				if err := s.Checkpoints().Save(ctx, "pods", inventory(0, 1, 9)); !errors.Is(err, want) {
					t.Errorf("save: got %v, want %v", err, want)
				}
			}
			now, err := e.client.CoreV1().ConfigMaps(e.namespace).Get(ctx, damaged.Name, metav1.GetOptions{})
			must(t, err)
			if fmt.Sprint(now.Data, now.BinaryData) != fmt.Sprint(damaged.Data, damaged.BinaryData) {
				t.Error("the ConfigMap was modified")
			}
			must(t, s.Close())
		})
	}
}

// TestSave_Edited: a user's change of the ConfigMaps does not fail later writes.
func TestSave_Edited(t *testing.T) {
	e := newEnv(t)
	ctx := t.Context()
	o := e.options("first")
	o.Limits.DeadLetters = 1
	s := open(t, o)
	must(t, s.Checkpoints().Save(ctx, "pods", inventory(0, 5_000, 1)))
	put(t, s, 1)
	put(t, s, 2)
	for _, cm := range e.configMaps(t) {
		cm.Annotations["edited"] = "yes"
		_, err := e.client.CoreV1().ConfigMaps(e.namespace).Update(ctx, &cm, metav1.UpdateOptions{})
		must(t, err)
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

// TestOpen_DamagedFormat1: a store of format 1 that is damaged, or that no known source
// has written, is rejected and not modified.
func TestOpen_DamagedFormat1(t *testing.T) {
	for name, c := range map[string]struct {
		mark string
		want error
	}{
		"damaged":        {"{", store.ErrDamaged},
		"missing-shard":  {`{"format":1,"watch":"x resource-watcher:v1/Pod","shards":1}`, store.ErrDamaged},
		"unknown-source": {`{"format":1,"watch":"pods"}`, store.ErrForeign},
		"other-format":   {`{"format":0,"watch":"cronjob:x"}`, store.ErrForeign},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			created, err := e.client.CoreV1().ConfigMaps(e.namespace).Create(t.Context(), &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{
					Name: "notify-watch-0", Labels: map[string]string{"trigger.oam.dev/store": "notify", "trigger.oam.dev/record": "mark"},
				},
				Data: map[string]string{"mark": c.mark},
			}, metav1.CreateOptions{})
			must(t, err)
			_, err = cluster.Open(t.Context(), e.options("first"))
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), "notify-watch-0") {
				t.Errorf("got %v, want %v with the name of the ConfigMap", err, c.want)
			}
			for _, cm := range e.configMaps(t) {
				if cm.Name != created.Name || fmt.Sprint(cm.Data) != fmt.Sprint(created.Data) {
					t.Errorf("%s: %v", cm.Name, cm.Data)
				}
			}
		})
	}
}
