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
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/cluster"
)

// TestSizes measures what the objects of a large inventory weigh, and which of
// them a small change writes.
func TestSizes(t *testing.T) {
	b := newEnv(t)
	ctx := t.Context()
	s := b.open(t, "first")
	const objects = 50_000
	must(t, s.Save(ctx, "pods", inventory(0, objects, 1)))
	before, total := map[string]string{}, 0
	for _, cm := range b.configMaps(t) {
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
	t.Logf("%d ConfigMaps, %.1f bytes an object", len(before), float64(total)/objects)
	if total > 60*objects {
		t.Errorf("%d bytes for %d objects", total, objects)
	}
	must(t, s.Save(ctx, "pods", inventory(7, 1, 2)))
	written := 0
	for _, cm := range b.configMaps(t) {
		if cm.ResourceVersion != before[cm.Name] {
			written++
		}
	}
	if written != 1 {
		t.Errorf("a change of one object wrote %d ConfigMaps, want 1", written)
	}
	must(t, s.Close())
}

// TestRights: a worker needs no more rights than these, in its own namespace.
// Owners with long names share none of their objects.
func TestRights(t *testing.T) {
	b := newEnv(t)
	ctx := t.Context()
	all := []string{"get", "list", "create", "update", "patch", "delete"}
	config := b.cluster.ServiceAccount(t, b.namespace, "worker",
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: all},
		rbacv1.PolicyRule{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "create", "update"}},
		rbacv1.PolicyRule{APIGroups: []string{"standard.oam.dev"}, Resources: []string{"triggerevents"}, Verbs: []string{"get", "list", "create", "update", "delete"}},
	)
	owner := strings.Repeat("a-long-name-", 15)
	references := []metav1.OwnerReference{{APIVersion: "standard.oam.dev/v1alpha1", Kind: "TriggerService", Name: "x", UID: "12"}}
	for _, o := range []string{owner + "x", owner + "y"} {
		s, err := cluster.Open(ctx, cluster.Options{
			Config: config, Namespace: b.namespace, Owner: o, Identity: "worker", OwnerReferences: references,
			Limits: store.Limits{DeadLetters: 1},
		})
		must(t, err)
		r, err := s.Load(ctx, "pods")
		must(t, err)
		if r.Position != "" {
			t.Errorf("%s: already at %s", o, r.Position)
		}
		must(t, s.Save(ctx, "pods", inventory(0, 5_000, 1)))
		for i := range 2 {
			id, err := s.PutDeadLetter(ctx, store.DeadLetter{Event: event.Event{ID: strconv.Itoa(i), Source: "x"}})
			must(t, err)
			failures, err := cluster.OpenDeadLetters(cluster.Options{Config: config, Namespace: b.namespace, Owner: o})
			must(t, err)
			if b, err := failures.ListDeadLetters(ctx); err != nil || len(b.Items) != 1 || b.Dropped != uint64(i) {
				t.Errorf("beside the writer: %v, %v", b, err)
			}
			if _, err := failures.GetDeadLetter(ctx, id); err != nil {
				t.Error(err)
			}
			if i == 1 {
				must(t, failures.DeleteDeadLetter(ctx, id))
			}
		}
		ev := event.Event{Source: "webhook", ID: "1"}
		must(t, s.Enqueue(ctx, ev))
		if err := s.Enqueue(ctx, ev); err != nil {
			t.Error(err)
		}
		must(t, s.Ack(ctx, ev.Source, ev.ID))
		must(t, s.Record(ctx, store.Run{}))
		maps, err := b.client.CoreV1().ConfigMaps(b.namespace).List(ctx, metav1.ListOptions{LabelSelector: "trigger.oam.dev/store"})
		must(t, err)
		for _, cm := range maps.Items {
			if len(cm.OwnerReferences) != 1 {
				t.Errorf("%s has no owner", cm.Name)
			}
		}
		must(t, s.Delete(ctx, "pods"))
		must(t, s.Close())
	}
}
