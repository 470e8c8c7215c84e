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

package policies

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/cluster"
	testcluster "github.com/kubevela/kube-trigger/test/cluster"
)

// triggerEvents tests that only workers write TriggerEvents and TriggerCheckpoints, and that
// others request replays and delete them.
func (e env) triggerEvents(t *testing.T) {
	ns, other := e.Namespace(t), e.Namespace(t)
	worker, tenant := account(ns, "kube-trigger-worker"), "alice"
	e.bind(t, ns, worker, "kube-trigger-worker")
	for _, user := range []string{tenant, account(ns, "kube-trigger"), account(other, "kube-trigger-worker")} {
		e.bind(t, ns, user, "cluster-admin")
	}
	client := cluster.ClientOptions{Config: e.User(worker)}
	leader, err := cluster.Elect(t.Context(), cluster.ElectionOptions{Client: client, Namespace: ns, Name: "kube-trigger", Identity: "worker"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := cluster.Open(t.Context(), cluster.Options{Client: client, Namespace: ns, Owner: "main", Leader: leader})
	if err != nil {
		t.Fatal(err)
	}
	id, err := s.DeadLetters().Put(t.Context(), store.DeadLetter{
		Event: event.Event{Source: "webhook", ID: "1", Data: map[string]any{"a": "b"}}, Trigger: event.TriggerRef{Name: "deploy", Namespace: ns}, Reason: "TerminalError",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Queue().Enqueue(t.Context(), event.Event{Source: "webhook", ID: "2"}); err != nil {
		t.Fatal(err)
	}

	const forged = `
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerEvent
metadata: {namespace: NS, name: main-queue-0123, labels: {trigger.oam.dev/store: main, trigger.oam.dev/record: queue}}
spec: {event: {source: webhook, id: "3"}}`
	const want = "only workers write TriggerEvents"
	te := object("standard.oam.dev/v1alpha1", "TriggerEvent", ns, "main-"+id)
	tc := object("standard.oam.dev/v1alpha1", "TriggerCheckpoint", ns, "main")
	if err := testcluster.Apply(t.Context(), e.client(t, worker), "apiVersion: standard.oam.dev/v1alpha1\nkind: TriggerCheckpoint\nmetadata: {namespace: "+ns+", name: main}\nspec: {format: 1}"); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"", tenant, account(ns, "kube-trigger"), account(other, "kube-trigger-worker")} {
		c := e.client(t, user)
		expect(t, want, func(ctx context.Context) error {
			return testcluster.Apply(ctx, c, strings.Replace(forged, "NS", ns, 1))
		})
		for _, patch := range []string{
			`{"spec":{"event":{"data":{"a":"c"}}}}`,
			`{"metadata":{"labels":{"trigger.oam.dev/record":"queue"}}}`,
			`{"metadata":{"labels":{"a":"b"}}}`,
			`{"metadata":{"annotations":{"trigger.oam.dev/order":"0"}}}`,
			`{"metadata":{"labels":{"trigger.oam.dev/replay":"requested"}},"spec":{"event":{"data":{"a":"c"}}}}`,
		} {
			expect(t, want, func(ctx context.Context) error { return mergePatch(ctx, c, te, patch) })
		}
		const want = "only workers write TriggerCheckpoints"
		expect(t, want, func(ctx context.Context) error {
			return testcluster.Apply(ctx, c, "apiVersion: standard.oam.dev/v1alpha1\nkind: TriggerCheckpoint\nmetadata: {namespace: "+ns+", name: forged}\nspec: {format: 1}")
		})
		expect(t, want, func(ctx context.Context) error { return mergePatch(ctx, c, tc, `{"metadata":{"labels":{"a":"b"}}}`) })
	}

	tenants, err := cluster.OpenDeadLetters(cluster.Options{Client: cluster.ClientOptions{Config: e.User(tenant)}, Namespace: ns, Owner: "main"})
	if err != nil {
		t.Fatal(err)
	}
	if err := tenants.RequestReplay(t.Context(), id); err != nil {
		t.Errorf("request replay: got %v, want no error", err)
	}
	if ids, err := s.DeadLetters().ReplayRequested(t.Context()); err != nil || len(ids) != 1 || ids[0] != id {
		t.Errorf("requested replays: got %v, %v, want %s", ids, err, id)
	}
	if err := tenants.Delete(t.Context(), id); err != nil {
		t.Errorf("delete: got %v, want no error", err)
	}
	if err := e.client(t, tenant).Delete(t.Context(), tc); err != nil {
		t.Errorf("delete a TriggerCheckpoint: got %v, want no error", err)
	}
	if err := errors.Join(s.Close(), leader.Close()); err != nil {
		t.Error(err)
	}
}
