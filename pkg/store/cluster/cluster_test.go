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

	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/cluster"
)

// TestSave_Size checks the size of the TriggerCheckpoints of a large inventory, and that a change
// of one object writes one TriggerCheckpoint.
func TestSave_Size(t *testing.T) {
	e := newEnv(t)
	ctx := t.Context()
	s := e.open(t, "first")
	const objects = 50_000
	must(t, s.Checkpoints().Save(ctx, "pods", inventory(0, objects, 1)))
	before, total := map[string]string{}, 0
	for _, tc := range e.checkpoints(t) {
		text, err := json.Marshal(tc)
		must(t, err)
		total += len(tc.Spec.Values)
		if len(text) > 720<<10 {
			t.Errorf("%s: %d bytes of JSON", tc.Name, len(text))
		}
		before[tc.Name] = tc.ResourceVersion
	}
	t.Logf("%d TriggerCheckpoints, %.1f bytes per object", len(before), float64(total)/objects)
	if total > 60*objects {
		t.Errorf("%d bytes for %d objects", total, objects)
	}
	must(t, s.Checkpoints().Save(ctx, "pods", inventory(7, 1, 2)))
	written := 0
	for _, tc := range e.checkpoints(t) {
		if tc.ResourceVersion != before[tc.Name] {
			written++
		}
	}
	if written != 1 {
		t.Errorf("a change of one object wrote %d TriggerCheckpoints, want 1", written)
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
	for _, tc := range e.checkpoints(t) {
		text, err := json.Marshal(tc)
		must(t, err)
		if len(text) >= 1<<20 {
			t.Errorf("%s: %d bytes of JSON", tc.Name, len(text))
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
		rbacv1.PolicyRule{APIGroups: []string{"standard.oam.dev"}, Resources: []string{"triggercheckpoints"}, Verbs: all},
		rbacv1.PolicyRule{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "create", "update"}},
		rbacv1.PolicyRule{APIGroups: []string{"standard.oam.dev"}, Resources: []string{"triggerevents"}, Verbs: []string{"get", "list", "create", "update", "delete"}},
	)
	owner := strings.Repeat("a-long-name-", 15)
	references := []metav1.OwnerReference{{APIVersion: "standard.oam.dev/v1alpha1", Kind: "TriggerService", Name: "x", UID: "12"}}
	clientOptions := cluster.ClientOptions{Config: config}
	leader := e.elect(t, cluster.ElectionOptions{
		Client: clientOptions, Namespace: e.namespace, Name: "worker", Identity: "worker", OwnerReferences: references,
	})
	for _, o := range []string{owner + "x", owner + "y"} {
		s, err := cluster.Open(ctx, cluster.Options{
			Client: clientOptions, Namespace: e.namespace, Owner: o, Leader: leader, OwnerReferences: references,
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
			deadLetters, err := cluster.OpenDeadLetters(cluster.Options{Client: clientOptions, Namespace: e.namespace, Owner: o})
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
		e.checkOwnerReferences(t, 3+2) // a head, a shard, a counter; two Leases
		must(t, s.Checkpoints().Delete(ctx, "pods"))
		must(t, s.Close())
	}
	must(t, leader.Close())
}

// checkOwnerReferences checks that at least n objects of stores exist, and that each has an
// owner.
func (e env) checkOwnerReferences(t *testing.T, n int) {
	t.Helper()
	for _, kind := range []schema.GroupVersionKind{
		v1alpha1.GroupVersion().WithKind(v1alpha1.TriggerCheckpointKind), coordinationv1.SchemeGroupVersion.WithKind("Lease"),
	} {
		var list metav1.PartialObjectMetadataList
		list.SetGroupVersionKind(kind)
		must(t, e.objects(t).List(t.Context(), &list, client.InNamespace(e.namespace), client.HasLabels{store.Label}))
		for _, o := range list.Items {
			n--
			if len(o.OwnerReferences) != 1 {
				t.Errorf("%s %s has no owner reference", kind.Kind, o.Name)
			}
		}
	}
	if n > 0 {
		t.Errorf("%d objects less than expected", n)
	}
}

// TestOpen_NoCRD: the error says what to apply.
func TestOpen_NoCRD(t *testing.T) {
	e := newEnv(t)
	leader := e.elect(t, e.electionOptions("first"))
	o := e.options(leader)
	o.Client.Mapper = meta.NewDefaultRESTMapper(nil) // a cluster without kinds
	_, err := cluster.Open(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "no TriggerCheckpoint of standard.oam.dev/v1alpha1; apply the CRDs of this version: kubectl apply -f addon/crds") {
		t.Errorf("got %v", err)
	}
	must(t, leader.Close())
}
