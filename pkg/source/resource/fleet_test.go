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

package resource_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

// TestClusters has clusters join, leave, fall silent and come back, and no others
// wait for them.
func TestClusters(t *testing.T) {
	s := newMultiClusterEnv(t)
	t.Run("come and go", s.joinAndLeave)
	t.Run("restart", s.restart)
	t.Run("rights", s.rights)
	t.Run("sync", s.sync)
	t.Run("forgotten", s.garbageCollection)
}

func (e multiClusterEnv) subtest(t *testing.T) multiClusterEnv {
	e.T, e.status = t, &statusRecorder{last: map[string]string{}}
	e.newNamespaces()
	return e
}

func (e multiClusterEnv) joinAndLeave(t *testing.T) {
	e = e.subtest(t)
	e.join("a", "alpha", "env=prod")
	e.join("b", "beta", "env=prod")
	asks := []triggerSpec{
		e.trigger("prod", `"clusters": ["local"], "clusterSelector": {"matchLabels": {"env": "prod"}}`),
		e.trigger("beta", `"clusters": ["beta"]`),
		e.trigger("away", `"clusters": ["beta", "gamma"]`),
	}
	for _, plane := range []string{"hub", "a", "b"} {
		e.create(plane, "old")
	}
	r := newSharedHarness(t, e.clusters["hub"].Config, asks, e.connectTo(e.clusters["hub"].Config))
	r.run()
	e.waitForStatus("prod", "works")
	e.waitForStatus("beta", "works")
	e.waitForStatus("away", `1 work; cluster "gamma": is not joined`)
	eventually(t, func() bool { return isWatching(r, "alpha") && isWatching(r, "beta") && isWatching(r, "local") })

	// The same name everywhere is three objects.
	for _, plane := range []string{"hub", "a", "b"} {
		e.create(plane, "x")
	}
	prod, beta := []string{" create x", "alpha create x", "beta create x"}, []string{"beta create x"}
	e.waitForEvents(r, 0, prod...)
	e.waitForEvents(r, 1, beta...)
	ids := map[string]bool{}
	for _, ev := range r.received() {
		ids[ev.ID], ids[ev.OrderingKey()] = true, true
	}
	if len(ids) != 6 {
		t.Errorf("IDs and lanes %v", slices.Collect(maps.Keys(ids)))
	}

	// A cluster that joins is watched, also if another name stands for it already.
	e.join("a", "gamma", "env=dev")
	e.waitForStatus("away", "works")
	e.update("a", "x", "1")
	prod = append(prod, "alpha update x")
	e.waitForEvents(r, 0, prod...)
	e.waitForEvents(r, 2, "beta create x", "gamma update x")

	e.clusters["hub"].Leave(t, "gamma")
	e.waitForStatus("away", `1 work; cluster "gamma": is not joined`)

	// One that is silent does not stop the others, and loses nothing.
	e.clusters["a"].StopAPIServer(t)
	e.waitForStatus("prod", `2 work; cluster "alpha": …`)
	e.update("b", "x", "1")
	e.update("hub", "x", "1")
	prod, beta = append(prod, "beta update x", " update x"), append(beta, "beta update x")
	e.waitForEvents(r, 0, prod...)
	e.waitForEvents(r, 1, beta...)
	e.waitForStatus("beta", "works")
	e.clusters["a"].StartAPIServer(t)
	e.delete("a", "x")
	prod = append(prod, "alpha delete x")
	e.waitForEvents(r, 0, prod...)
	e.waitForStatus("prod", "works")

	// What happens while a cluster has left comes when it is back.
	e.clusters["hub"].Leave(t, "beta")
	e.waitForStatus("beta", `0 work; cluster "beta": is not joined`)
	e.update("b", "x", "2")
	e.create("b", "new")
	e.update("hub", "x", "2")
	prod = append(prod, " update x")
	e.waitForEvents(r, 0, prod...)
	e.join("b", "beta", "env=prod")
	prod = append(prod, "beta update x", "beta create new")
	e.waitForEvents(r, 0, prod...)
	e.waitForEvents(r, 1, append(beta, "beta update x", "beta create new")...)
	r.stop()
}

// restart has a process end, and the next one find what changed in each cluster.
func (e multiClusterEnv) restart(t *testing.T) {
	e = e.subtest(t)
	e.join("a", "alpha", "")
	e.join("b", "beta", "")
	d := newFakeStore()
	asks := []triggerSpec{e.trigger("t", `"clusterSelector": {}`), e.trigger("u", `"clusters": ["beta"]`)}
	for _, plane := range []string{"a", "b"} {
		e.create(plane, "x")
		e.create(plane, "y")
	}
	by := e.connectTo(e.clusters["hub"].Config)
	b := env{T: t, config: e.clusters["hub"].Config}
	l := b.newProcess(d, asks, by)
	l.run()
	eventually(t, func() bool { return isWatching(l.harness, "alpha") && isWatching(l.harness, "beta") })
	e.update("a", "x", "1")
	e.waitForEvents(l.harness, 0, "alpha update x")
	l.stop()
	l.kill()

	e.update("a", "y", "1")
	e.delete("b", "y")
	e.update("b", "x", "1")
	e.update("b", "x", "2")
	l = b.newProcess(d, asks, by)
	l.run()
	e.waitForEvents(l.harness, 0, "alpha update y", "beta delete y", "beta update x", "beta update x")
	e.waitForEvents(l.harness, 1, "beta delete y", "beta update x", "beta update x")
	e.create("a", "z")
	e.waitForEvents(l.harness, 0, "alpha create z", "alpha update y", "beta delete y", "beta update x", "beta update x")
	l.stop()
	l.kill()

	// The names say which cluster it is: with them, another one has no resume point.
	names, err := d.Watches(t.Context())
	if err != nil || len(names) != 2 || !strings.HasSuffix(names[0], "&cluster=alpha") && !strings.HasSuffix(names[1], "&cluster=alpha") {
		t.Errorf("watches %q, %v", names, err)
	}
	if err := resource.Prune(t.Context(), d, l.triggers[:1]); err != nil {
		t.Fatal(err)
	}
	kept, _ := d.Watches(t.Context())
	if err := resource.Prune(t.Context(), d, l.triggers[1:]); err != nil {
		t.Fatal(err)
	}
	left, _ := d.Watches(t.Context())
	if len(kept) != 2 || len(left) != 1 || !strings.HasSuffix(left[0], "&cluster=beta") {
		t.Errorf("for all clusters %q are kept, for beta %q", kept, left)
	}
}

// rights has somebody follow a cluster who may read no other Secret.
func (e multiClusterEnv) rights(t *testing.T) {
	e = e.subtest(t)
	e.join("a", "alpha", "")
	hub := e.clusters["hub"]
	hub.Join(t, "beta", nil, hub.User("nobody"))
	e.Cleanup(func() { hub.Leave(e, "beta") })
	one := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"list"}, ResourceNames: []string{"alpha"}}
	config := hub.ServiceAccount(t, "vela-system", "one-"+e.namespace, one)
	r := newSharedHarness(t, config, []triggerSpec{e.trigger("one", `"clusters": ["alpha"]`), e.trigger("all", `"clusterSelector": {}`)}, e.connectTo(config))
	r.run()
	e.waitForStatus("one", "works")
	e.waitForStatus("all", "1 work; which clusters are joined is not known: list Secrets of clusters in vela-system: secrets is forbidden…")
	eventually(t, func() bool { return isWatching(r, "alpha") })
	e.create("a", "x")
	e.waitForEvents(r, 0, "alpha create x")
	// Without the right to watch, it is listed again.
	hub.Leave(t, "alpha")
	e.waitForStatus("one", `0 work; cluster "alpha": is not joined`)
	r.stop()

	// Of a cluster that one may not read there is said why.
	e.status.reset()
	hub.Join(t, "gamma", nil, e.clusters["b"].Config)
	r = newSharedHarness(t, hub.Config, []triggerSpec{e.trigger("forbidden", `"clusters": ["delta"]`)}, e.connectTo(hub.Config))
	nobody := e.clusters["b"].ServiceAccount(t, e.namespace, "nobody")
	hub.Join(t, "delta", nil, nobody)
	e.Cleanup(func() { hub.Leave(e, "gamma"); hub.Leave(e, "delta") })
	r.run()
	e.waitForStatus("forbidden", `0 work; cluster "delta": list v1/ConfigMap?namespace=`+e.namespace+`&fields=metadata.name!=kube-root-ca.crt&cluster=delta: configmaps is forbidden: User "system:serviceaccount:`+e.namespace+`:nobody"…`)
	r.stop()
}

// sync announces what exists in a cluster that joins, to each trigger once that
// selects it.
func (e multiClusterEnv) sync(t *testing.T) {
	e = e.subtest(t)
	e.create("a", "x")
	r := newSharedHarness(t, e.clusters["hub"].Config, []triggerSpec{
		e.trigger("named", `"clusters": ["alpha"], "events": ["sync", "create"]`),
		e.trigger("prod", `"clusterSelector": {"matchLabels": {"env": "prod"}}, "events": ["sync", "create"]`),
	}, e.connectTo(e.clusters["hub"].Config))
	r.run()
	e.waitForStatus("prod", "works")
	e.join("a", "alpha", "env=dev")
	e.waitForEvents(r, 0, "alpha sync x")
	e.create("a", "y")
	e.waitForEvents(r, 0, "alpha sync x", "alpha create y")
	e.join("a", "alpha", "env=prod")
	e.waitForEvents(r, 1, "alpha sync x", "alpha sync y")
	e.create("a", "z")
	e.waitForEvents(r, 1, "alpha sync x", "alpha sync y", "alpha create z")
	e.waitForEvents(r, 0, "alpha sync x", "alpha create y", "alpha create z")
	for _, ev := range r.received() {
		if why := r.triggers[1].Skip(ev); ev.Type == "create" && strings.HasSuffix(ev.Key, "/y") && why != source.BeforeStart {
			t.Errorf("what happened before the cluster was selected is %q", why)
		}
	}
	r.stop()
}

// garbageCollection has a cluster leave for more than an hour: its resume point goes, and no
// other.
func (e multiClusterEnv) garbageCollection(t *testing.T) {
	e = e.subtest(t)
	e.join("a", "alpha", "")
	e.join("b", "beta", "")
	d := newFakeStore()
	c := clocktesting.NewFakeClock(time.Now())
	b := env{T: t, config: e.clusters["hub"].Config}
	l := b.newProcess(d, []triggerSpec{e.trigger("t", `"clusterSelector": {}`)}, e.connectTo(e.clusters["hub"].Config), func(o *resource.Options) { o.Clock = c })
	l.run()
	kept := func() []string {
		names, err := d.Watches(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	eventually(t, func() bool {
		return isWatching(l.harness, "alpha") && isWatching(l.harness, "beta") && len(kept()) == 2
	})
	e.clusters["hub"].Leave(t, "alpha")
	eventually(t, func() bool { return l.logged("cluster left") })
	c.Step(59 * time.Minute)
	if got := kept(); len(got) != 2 {
		t.Errorf("after 59 minutes %q are kept", got)
	}
	eventually(t, func() bool {
		c.Step(time.Minute)
		return len(kept()) == 1
	})
	if got := kept(); !strings.HasSuffix(got[0], "cluster=beta") {
		t.Errorf("%q is kept", got)
	}
	l.stop()
}
