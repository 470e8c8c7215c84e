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

// TestMultiCluster lets clusters join, leave, fail and recover, which must not affect the
// watches of other clusters.
func TestMultiCluster(t *testing.T) {
	e := newMultiClusterEnv(t)
	t.Run("join-and-leave", e.joinAndLeave)
	t.Run("restart", e.restart)
	t.Run("rbac", e.rbac)
	t.Run("sync", e.sync)
	t.Run("gc", e.garbageCollection)
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
	specs := []triggerSpec{
		e.trigger("prod", `"clusters": ["local"], "clusterSelector": {"matchLabels": {"env": "prod"}}`),
		e.trigger("beta", `"clusters": ["beta"]`),
		e.trigger("away", `"clusters": ["beta", "gamma"]`),
	}
	for _, id := range []string{"hub", "a", "b"} {
		e.create(id, "old")
	}
	h := newSharedHarness(t, e.clusters["hub"].Config, specs, e.connectTo(e.clusters["hub"].Config))
	h.run()
	e.waitForStatus("prod", "works")
	e.waitForStatus("beta", "works")
	e.waitForStatus("away", `1 ready; cluster "gamma": not joined`)
	eventually(t, func() bool { return isWatching(h, "alpha") && isWatching(h, "beta") && isWatching(h, "local") })

	// Objects of the same name in different clusters are different objects.
	for _, id := range []string{"hub", "a", "b"} {
		e.create(id, "x")
	}
	prod, beta := []string{" create x", "alpha create x", "beta create x"}, []string{"beta create x"}
	e.waitForEvents(h, 0, prod...)
	e.waitForEvents(h, 1, beta...)
	ids := map[string]bool{}
	for _, ev := range h.received() {
		ids[ev.ID], ids[ev.OrderingKey()] = true, true
	}
	if len(ids) != 6 {
		t.Errorf("IDs and ordering keys %v", slices.Collect(maps.Keys(ids)))
	}

	// A cluster that joins is watched, even if it is joined under another name already.
	e.join("a", "gamma", "env=dev")
	e.waitForStatus("away", "works")
	e.update("a", "x", "1")
	prod = append(prod, "alpha update x")
	e.waitForEvents(h, 0, prod...)
	e.waitForEvents(h, 2, "beta create x", "gamma update x")

	e.clusters["hub"].Detach(t, "gamma")
	e.waitForStatus("away", `1 ready; cluster "gamma": not joined`)

	// A cluster that is down does not stop the others, and loses no event.
	e.clusters["a"].StopAPIServer(t)
	e.waitForStatus("prod", `2 ready; cluster "alpha": …`)
	e.update("b", "x", "1")
	e.update("hub", "x", "1")
	prod, beta = append(prod, "beta update x", " update x"), append(beta, "beta update x")
	e.waitForEvents(h, 0, prod...)
	e.waitForEvents(h, 1, beta...)
	e.waitForStatus("beta", "works")
	e.clusters["a"].StartAPIServer(t)
	e.delete("a", "x")
	prod = append(prod, "alpha delete x")
	e.waitForEvents(h, 0, prod...)
	e.waitForStatus("prod", "works")

	// Events of a cluster while it has left are delivered when it joins again.
	e.clusters["hub"].Detach(t, "beta")
	e.waitForStatus("beta", `0 ready; cluster "beta": not joined`)
	e.update("b", "x", "2")
	e.create("b", "new")
	e.update("hub", "x", "2")
	prod = append(prod, " update x")
	e.waitForEvents(h, 0, prod...)
	e.join("b", "beta", "env=prod")
	prod = append(prod, "beta update x", "beta create new")
	e.waitForEvents(h, 0, prod...)
	e.waitForEvents(h, 1, append(beta, "beta update x", "beta create new")...)
	h.stop()
}

// restart checks that a process resumes the watch of each cluster.
func (e multiClusterEnv) restart(t *testing.T) {
	e = e.subtest(t)
	e.join("a", "alpha", "")
	e.join("b", "beta", "")
	store := newFakeStore()
	specs := []triggerSpec{e.trigger("t", `"clusterSelector": {}`), e.trigger("u", `"clusters": ["beta"]`)}
	for _, id := range []string{"a", "b"} {
		e.create(id, "x")
		e.create(id, "y")
	}
	connect := e.connectTo(e.clusters["hub"].Config)
	hub := env{T: t, config: e.clusters["hub"].Config}
	p := hub.newProcess(store, specs, connect)
	p.run()
	eventually(t, func() bool { return isWatching(p.harness, "alpha") && isWatching(p.harness, "beta") })
	e.update("a", "x", "1")
	e.waitForEvents(p.harness, 0, "alpha update x")
	p.stop()
	p.kill()

	e.update("a", "y", "1")
	e.delete("b", "y")
	e.update("b", "x", "1")
	e.update("b", "x", "2")
	p = hub.newProcess(store, specs, connect)
	p.run()
	e.waitForEvents(p.harness, 0, "alpha update y", "beta delete y", "beta update x", "beta update x")
	e.waitForEvents(p.harness, 1, "beta delete y", "beta update x", "beta update x")
	e.create("a", "z")
	e.waitForEvents(p.harness, 0, "alpha create z", "alpha update y", "beta delete y", "beta update x", "beta update x")
	p.stop()
	p.kill()

	// The names of the checkpoints include the cluster.
	names, err := store.List(t.Context())
	if err != nil || len(names) != 2 || !strings.HasSuffix(names[0], "&cluster=alpha") && !strings.HasSuffix(names[1], "&cluster=alpha") {
		t.Errorf("watches %q, %v", names, err)
	}
	store.prune(t, p.triggers[:1]...)
	kept, _ := store.List(t.Context())
	store.prune(t, p.triggers[1:]...)
	left, _ := store.List(t.Context())
	if len(kept) != 2 || len(left) != 1 || !strings.HasSuffix(left[0], "&cluster=beta") {
		t.Errorf("for all clusters %q are left, for beta %q", kept, left)
	}
}

// rbac checks watches with restricted permissions: on the Secrets of the hub, and on the
// objects of a joined cluster.
func (e multiClusterEnv) rbac(t *testing.T) {
	e = e.subtest(t)
	e.join("a", "alpha", "")
	hub := e.clusters["hub"]
	hub.Join(t, "beta", nil, hub.User("nobody"))
	e.Cleanup(func() { hub.Detach(e, "beta") })
	one := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"list"}, ResourceNames: []string{"alpha"}}
	config := hub.ServiceAccount(t, "vela-system", "one-"+e.namespace, one)
	h := newSharedHarness(t, config, []triggerSpec{e.trigger("one", `"clusters": ["alpha"]`), e.trigger("all", `"clusterSelector": {}`)}, e.connectTo(config))
	h.run()
	e.waitForStatus("one", "works")
	e.waitForStatus("all", "1 ready; joined clusters unknown: list Secrets of clusters in vela-system: secrets is forbidden…")
	eventually(t, func() bool { return isWatching(h, "alpha") })
	e.create("a", "x")
	e.waitForEvents(h, 0, "alpha create x")
	// Secrets that must not be watched are polled.
	hub.Detach(t, "alpha")
	e.waitForStatus("one", `0 ready; cluster "alpha": not joined`)
	h.stop()

	// The status has the error of a cluster that forbids the list.
	e.status.reset()
	hub.Join(t, "gamma", nil, e.clusters["b"].Config)
	h = newSharedHarness(t, hub.Config, []triggerSpec{e.trigger("forbidden", `"clusters": ["delta"]`)}, e.connectTo(hub.Config))
	nobody := e.clusters["b"].ServiceAccount(t, e.namespace, "nobody")
	hub.Join(t, "delta", nil, nobody)
	e.Cleanup(func() { hub.Detach(e, "gamma"); hub.Detach(e, "delta") })
	h.run()
	e.waitForStatus("forbidden", `0 ready; cluster "delta": list v1/ConfigMap?namespace=`+e.namespace+`&fields=metadata.name!=kube-root-ca.crt&cluster=delta: configmaps is forbidden: User "system:serviceaccount:`+e.namespace+`:nobody"…`)
	h.stop()
}

// sync checks that each trigger that selects a cluster gets its sync events once.
func (e multiClusterEnv) sync(t *testing.T) {
	e = e.subtest(t)
	e.create("a", "x")
	h := newSharedHarness(t, e.clusters["hub"].Config, []triggerSpec{
		e.trigger("named", `"clusters": ["alpha"], "events": ["sync", "create"]`),
		e.trigger("prod", `"clusterSelector": {"matchLabels": {"env": "prod"}}, "events": ["sync", "create"]`),
	}, e.connectTo(e.clusters["hub"].Config))
	h.run()
	e.waitForStatus("prod", "works")
	e.join("a", "alpha", "env=dev")
	e.waitForEvents(h, 0, "alpha sync x")
	e.create("a", "y")
	e.waitForEvents(h, 0, "alpha sync x", "alpha create y")
	e.join("a", "alpha", "env=prod")
	e.waitForEvents(h, 1, "alpha sync x", "alpha sync y")
	e.create("a", "z")
	e.waitForEvents(h, 1, "alpha sync x", "alpha sync y", "alpha create z")
	e.waitForEvents(h, 0, "alpha sync x", "alpha create y", "alpha create z")
	reasons := h.skipped(h.triggers[1])
	for i, ev := range h.received() {
		if reason := reasons[i]; ev.Type == "create" && strings.HasSuffix(ev.Key, "/y") && reason != source.BeforeStart {
			t.Errorf("event before the cluster was selected has reason %q, want BeforeStart", reason)
		}
	}
	h.stop()
}

// garbageCollection checks that the checkpoint of a cluster is deleted an hour after the
// cluster left, and no other checkpoint.
func (e multiClusterEnv) garbageCollection(t *testing.T) {
	e = e.subtest(t)
	e.join("a", "alpha", "")
	e.join("b", "beta", "")
	store := newFakeStore()
	c := clocktesting.NewFakeClock(time.Now())
	hub := env{T: t, config: e.clusters["hub"].Config}
	p := hub.newProcess(store, []triggerSpec{e.trigger("t", `"clusterSelector": {}`)}, e.connectTo(e.clusters["hub"].Config), func(o *resource.Options) { o.Clock = c })
	p.run()
	kept := func() []string {
		names, err := store.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	eventually(t, func() bool {
		return isWatching(p.harness, "alpha") && isWatching(p.harness, "beta") && len(kept()) == 2
	})
	e.clusters["hub"].Detach(t, "alpha")
	eventually(t, func() bool { return p.logged("cluster left") })
	c.Step(59 * time.Minute)
	if got := kept(); len(got) != 2 {
		t.Errorf("after 59 minutes %q are left", got)
	}
	eventually(t, func() bool {
		c.Step(time.Minute)
		return len(kept()) == 1
	})
	if got := kept(); !strings.HasSuffix(got[0], "cluster=beta") {
		t.Errorf("%q is left", got)
	}
	p.stop()
}
