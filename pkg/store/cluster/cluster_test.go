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
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"strconv"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/cluster"
)

// TestSave_Size checks the size of the ConfigMaps of a large inventory, and that a change
// of one object writes one ConfigMap.
func TestSave_Size(t *testing.T) {
	e := newEnv(t)
	ctx := t.Context()
	s := e.open(t, "first")
	const objects = 50_000
	must(t, s.Checkpoints().Save(ctx, "pods", inventory(0, objects, 1)))
	before, total := map[string]string{}, 0
	for _, cm := range e.configMaps(t) {
		text, err := json.Marshal(cm)
		must(t, err)
		for _, block := range cm.BinaryData {
			total += len(block)
		}
		if len(text) > 720<<10 {
			t.Errorf("%s: %d bytes of JSON", cm.Name, len(text))
		}
		before[cm.Name] = cm.ResourceVersion
	}
	t.Logf("%d ConfigMaps, %.1f bytes per object", len(before), float64(total)/objects)
	if total > 60*objects {
		t.Errorf("%d bytes for %d objects", total, objects)
	}
	must(t, s.Checkpoints().Save(ctx, "pods", inventory(7, 1, 2)))
	written := 0
	for _, cm := range e.configMaps(t) {
		if cm.ResourceVersion != before[cm.Name] {
			written++
		}
	}
	if written != 1 {
		t.Errorf("a change of one object wrote %d ConfigMaps, want 1", written)
	}
	must(t, s.Close())
}

// TestSave_Skewed saves large values whose names have equal low bits of their hashes, so
// that a small number of shards has all of them in one.
func TestSave_Skewed(t *testing.T) {
	e := newEnv(t)
	ctx := t.Context()
	c := store.Change{Cursor: ptr.To("1"), Values: map[string][]byte{}}
	for i := 0; len(c.Values) < 40; i++ {
		h := fnv.New32a()
		name := fmt.Sprint("view/", i)
		h.Write([]byte(name))
		if sum := h.Sum32(); (sum^sum>>16)&15 == 7 {
			c.Values[name] = bytes.Repeat([]byte{byte(i)}, store.MaxValue)
		}
	}
	s := e.open(t, "first")
	must(t, s.Checkpoints().Save(ctx, "views", c))
	must(t, s.Close())
	for _, cm := range e.configMaps(t) {
		size := 0
		for _, block := range cm.BinaryData {
			size += len(block)
		}
		if size >= 1<<20 {
			t.Errorf("%s has %d bytes", cm.Name, size)
		}
	}
	s = e.open(t, "second")
	loaded, err := s.Checkpoints().Load(ctx, "views")
	must(t, err)
	if loaded.Cursor != "1" || !maps.EqualFunc(loaded.Values, c.Values, bytes.Equal) {
		t.Errorf("cursor %s with %d values", loaded.Cursor, len(loaded.Values))
	}
	must(t, s.Close())
}

// TestStore_RBAC checks that these rights, in the namespace of the store, are sufficient.
// Owners whose long names differ in the last character do not share objects.
func TestStore_RBAC(t *testing.T) {
	e := newEnv(t)
	ctx := t.Context()
	all := []string{"get", "list", "create", "update", "patch", "delete"}
	config := e.cluster.ServiceAccount(t, e.namespace, "worker",
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: all},
		rbacv1.PolicyRule{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "create", "update"}},
		rbacv1.PolicyRule{APIGroups: []string{"standard.oam.dev"}, Resources: []string{"triggerevents"}, Verbs: []string{"get", "list", "create", "update", "delete"}},
	)
	owner := strings.Repeat("a-long-name-", 15)
	references := []metav1.OwnerReference{{APIVersion: "standard.oam.dev/v1alpha1", Kind: "TriggerService", Name: "x", UID: "12"}}
	for _, o := range []string{owner + "x", owner + "y"} {
		s, err := cluster.Open(ctx, cluster.Options{
			Config: config, Namespace: e.namespace, Owner: o, Identity: "worker", OwnerReferences: references,
			Limits: store.Limits{DeadLetters: 1},
		})
		must(t, err)
		c, err := s.Checkpoints().Load(ctx, "pods")
		must(t, err)
		if c.Cursor != "" {
			t.Errorf("%s: position %s before the first save", o, c.Cursor)
		}
		must(t, s.Checkpoints().Save(ctx, "pods", inventory(0, 5_000, 1)))
		for i := range 2 {
			id, err := s.DeadLetters().Put(ctx, store.DeadLetter{Event: event.Event{ID: strconv.Itoa(i), Source: "x"}})
			must(t, err)
			deadLetters, err := cluster.OpenDeadLetters(cluster.Options{Config: config, Namespace: e.namespace, Owner: o})
			must(t, err)
			if list, err := deadLetters.List(ctx); err != nil || len(list.Items) != 1 || list.Dropped != uint64(i) {
				t.Errorf("while the store is open: %v, %v", list, err)
			}
			if _, err := deadLetters.Get(ctx, id); err != nil {
				t.Error(err)
			}
			if i == 1 {
				must(t, deadLetters.Delete(ctx, id))
			}
		}
		ev := event.Event{Source: "webhook", ID: "1"}
		must(t, s.Queue().Enqueue(ctx, ev))
		if err := s.Queue().Enqueue(ctx, ev); err != nil {
			t.Error(err)
		}
		must(t, s.Queue().Ack(ctx, ev.Source, ev.ID))
		stored, err := e.client.CoreV1().ConfigMaps(e.namespace).List(ctx, metav1.ListOptions{LabelSelector: "trigger.oam.dev/store"})
		must(t, err)
		for _, cm := range stored.Items {
			if len(cm.OwnerReferences) != 1 {
				t.Errorf("%s has no owner reference", cm.Name)
			}
		}
		must(t, s.Checkpoints().Delete(ctx, "pods"))
		must(t, s.Close())
	}
}
