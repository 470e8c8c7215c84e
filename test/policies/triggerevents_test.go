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
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"

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
	options := cluster.ClientOptions{Config: e.User(worker)}
	leader, err := cluster.Elect(t.Context(), cluster.ElectionOptions{Client: options, Namespace: ns, Name: "kube-trigger", Identity: "worker"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := cluster.Open(t.Context(), cluster.Options{Client: options, Namespace: ns, Owner: "main", Leader: leader})
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
	e.firing(t, ns)
	if err := errors.Join(s.Close(), leader.Close()); err != nil {
		t.Error(err)
	}
}

// firing tests that a user with the verb fire on a TriggerService may create a TriggerEvent that
// refers to an object, and that one which holds an event is refused.
func (e env) firing(t *testing.T, ns string) {
	t.Helper()
	allow := func(user, verbs string) {
		t.Helper()
		if err := testcluster.Apply(t.Context(), e.client(t, ""), fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {namespace: %[1]s, name: fires-%[2]s}
rules:
  - {apiGroups: [standard.oam.dev], resources: [triggerevents], verbs: [create, patch, get]}
  - {apiGroups: [standard.oam.dev], resources: [triggerservices], resourceNames: [main], verbs: [%[3]s]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: %[1]s, name: fires-%[2]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: fires-%[2]s}
subjects: [{kind: User, name: %[2]s}]
`, ns, user, verbs)); err != nil {
			t.Fatal(err)
		}
	}
	allow("bob", "get, fire")
	allow("carol", "get, update, patch")
	fire := func(user, owner string) error {
		d, err := cluster.OpenDeadLetters(cluster.Options{Client: cluster.ClientOptions{Config: e.User(user)}, Namespace: ns, Owner: owner})
		if err != nil {
			return err
		}
		_, err = d.Fire(t.Context(), event.TriggerRef{Name: "deploy", Namespace: ns}, &v1alpha1.FiredObject{APIVersion: "v1", Kind: "ConfigMap", Namespace: ns, Name: "in"})
		return err
	}
	const needed = "needs the verb fire on its TriggerService"
	expect(t, needed, func(context.Context) error { return fire("carol", "main") })
	expect(t, needed, func(context.Context) error { return fire("bob", "other") })
	if err := fire("bob", "main"); err != nil {
		t.Errorf("fire: got %v, want no error", err)
	}
	const request = `
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerEvent
metadata: {namespace: NS, name: main-0123, labels: {trigger.oam.dev/store: main, trigger.oam.dev/record: dead-letter, trigger.oam.dev/replay: requested}}
spec: {event: {source: fire}, trigger: {name: deploy}, fire: {triggerService: main, object: {apiVersion: v1, kind: ConfigMap, namespace: NS, name: in}}}`
	for _, change := range [][2]string{
		{"source: fire", "source: webhook"},
		{"source: fire", "source: fire, data: {a: b}"},
		{"source: fire", "source: fire, old: {a: b}"},
		{"source: fire", "source: fire, type: update"},
		{"source: fire", "source: fire, key: a/b"},
		{"record: dead-letter", "record: queue"},
		{"trigger: {name: deploy}", "trigger: {name: deploy}, failure: {reason: TerminalError, attempts: 1}"},
	} {
		forged := strings.ReplaceAll(strings.Replace(request, change[0], change[1], 1), "NS", ns)
		expect(t, "refers to an object, and holds no event", func(ctx context.Context) error { return create(ctx, e.client(t, "bob"), forged) })
	}
	if err := create(t.Context(), e.client(t, "bob"), strings.ReplaceAll(request, "NS", ns)); err != nil {
		t.Errorf("a reference: got %v, want no error", err)
	}
}

// create creates the object of a YAML document.
func create(ctx context.Context, c client.Client, text string) error {
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		return err
	}
	return c.Create(ctx, o)
}
