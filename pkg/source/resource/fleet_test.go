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
	s := newShips(t)
	t.Run("come and go", s.comeAndGo)
	t.Run("restart", s.restart)
	t.Run("rights", s.rights)
	t.Run("sync", s.sync)
	t.Run("forgotten", s.forgotten)
}

func (s ships) in(t *testing.T) ships {
	s.T, s.away = t, &aways{said: map[string]string{}}
	s.fresh()
	return s
}

func (s ships) comeAndGo(t *testing.T) {
	s = s.in(t)
	s.join("a", "alpha", "env=prod")
	s.join("b", "beta", "env=prod")
	asks := []asked{
		s.ask("prod", `"clusters": ["local"], "clusterSelector": {"matchLabels": {"env": "prod"}}`),
		s.ask("beta", `"clusters": ["beta"]`),
		s.ask("away", `"clusters": ["beta", "gamma"]`),
	}
	for _, plane := range []string{"hub", "a", "b"} {
		s.create(plane, "old")
	}
	r := openAll(t, s.planes["hub"].Config, asks, s.by(s.planes["hub"].Config))
	r.run()
	s.hears("prod", "works")
	s.hears("beta", "works")
	s.hears("away", `1 work; cluster "gamma": is not joined`)
	eventually(t, func() bool { return watching(r, "alpha") && watching(r, "beta") && watching(r, "local") })

	// The same name everywhere is three objects.
	for _, plane := range []string{"hub", "a", "b"} {
		s.create(plane, "x")
	}
	prod, beta := []string{" create x", "alpha create x", "beta create x"}, []string{"beta create x"}
	s.gets(r, 0, prod...)
	s.gets(r, 1, beta...)
	ids := map[string]bool{}
	for _, ev := range r.got() {
		ids[ev.ID], ids[ev.Lane()] = true, true
	}
	if len(ids) != 6 {
		t.Errorf("IDs and lanes %v", slices.Collect(maps.Keys(ids)))
	}

	// A cluster that joins is watched, also if another name stands for it already.
	s.join("a", "gamma", "env=dev")
	s.hears("away", "works")
	s.update("a", "x", "1")
	prod = append(prod, "alpha update x")
	s.gets(r, 0, prod...)
	s.gets(r, 2, "beta create x", "gamma update x")

	s.planes["hub"].Leave(t, "gamma")
	s.hears("away", `1 work; cluster "gamma": is not joined`)

	// One that is silent does not stop the others, and loses nothing.
	s.planes["a"].StopAPIServer(t)
	s.hears("prod", `2 work; cluster "alpha": …`)
	s.update("b", "x", "1")
	s.update("hub", "x", "1")
	prod, beta = append(prod, "beta update x", " update x"), append(beta, "beta update x")
	s.gets(r, 0, prod...)
	s.gets(r, 1, beta...)
	s.hears("beta", "works")
	s.planes["a"].StartAPIServer(t)
	s.delete("a", "x")
	prod = append(prod, "alpha delete x")
	s.gets(r, 0, prod...)
	s.hears("prod", "works")

	// What happens while a cluster has left comes when it is back.
	s.planes["hub"].Leave(t, "beta")
	s.hears("beta", `0 work; cluster "beta": is not joined`)
	s.update("b", "x", "2")
	s.create("b", "new")
	s.update("hub", "x", "2")
	prod = append(prod, " update x")
	s.gets(r, 0, prod...)
	s.join("b", "beta", "env=prod")
	prod = append(prod, "beta update x", "beta create new")
	s.gets(r, 0, prod...)
	s.gets(r, 1, append(beta, "beta update x", "beta create new")...)
	r.stop()
}

// restart has a process end, and the next one find what changed in each cluster.
func (s ships) restart(t *testing.T) {
	s = s.in(t)
	s.join("a", "alpha", "")
	s.join("b", "beta", "")
	d := newDisk()
	asks := []asked{s.ask("t", `"clusterSelector": {}`), s.ask("u", `"clusters": ["beta"]`)}
	for _, plane := range []string{"a", "b"} {
		s.create(plane, "x")
		s.create(plane, "y")
	}
	by := s.by(s.planes["hub"].Config)
	b := bed{T: t, config: s.planes["hub"].Config}
	l := b.born(d, asks, by)
	l.run()
	eventually(t, func() bool { return watching(l.running, "alpha") && watching(l.running, "beta") })
	s.update("a", "x", "1")
	s.gets(l.running, 0, "alpha update x")
	l.stop()
	l.kill()

	s.update("a", "y", "1")
	s.delete("b", "y")
	s.update("b", "x", "1")
	s.update("b", "x", "2")
	l = b.born(d, asks, by)
	l.run()
	s.gets(l.running, 0, "alpha update y", "beta delete y", "beta update x", "beta update x")
	s.gets(l.running, 1, "beta delete y", "beta update x", "beta update x")
	s.create("a", "z")
	s.gets(l.running, 0, "alpha create z", "alpha update y", "beta delete y", "beta update x", "beta update x")
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
func (s ships) rights(t *testing.T) {
	s = s.in(t)
	s.join("a", "alpha", "")
	hub := s.planes["hub"]
	hub.Join(t, "beta", nil, hub.User("nobody"))
	s.Cleanup(func() { hub.Leave(s, "beta") })
	one := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"list"}, ResourceNames: []string{"alpha"}}
	config := hub.ServiceAccount(t, "vela-system", "one-"+s.namespace, one)
	r := openAll(t, config, []asked{s.ask("one", `"clusters": ["alpha"]`), s.ask("all", `"clusterSelector": {}`)}, s.by(config))
	r.run()
	s.hears("one", "works")
	s.hears("all", "1 work; which clusters are joined is not known: list Secrets of clusters in vela-system: secrets is forbidden…")
	eventually(t, func() bool { return watching(r, "alpha") })
	s.create("a", "x")
	s.gets(r, 0, "alpha create x")
	// Without the right to watch, it is listed again.
	hub.Leave(t, "alpha")
	s.hears("one", `0 work; cluster "alpha": is not joined`)
	r.stop()

	// Of a cluster that one may not read there is said why.
	s.away.none()
	hub.Join(t, "gamma", nil, s.planes["b"].Config)
	r = openAll(t, hub.Config, []asked{s.ask("forbidden", `"clusters": ["delta"]`)}, s.by(hub.Config))
	nobody := s.planes["b"].ServiceAccount(t, s.namespace, "nobody")
	hub.Join(t, "delta", nil, nobody)
	s.Cleanup(func() { hub.Leave(s, "gamma"); hub.Leave(s, "delta") })
	r.run()
	s.hears("forbidden", `0 work; cluster "delta": list v1/ConfigMap?namespace=`+s.namespace+`&fields=metadata.name!=kube-root-ca.crt&cluster=delta: configmaps is forbidden: User "system:serviceaccount:`+s.namespace+`:nobody"…`)
	r.stop()
}

// sync announces what exists in a cluster that joins, to each trigger once that
// selects it.
func (s ships) sync(t *testing.T) {
	s = s.in(t)
	s.create("a", "x")
	r := openAll(t, s.planes["hub"].Config, []asked{
		s.ask("named", `"clusters": ["alpha"], "events": ["sync", "create"]`),
		s.ask("prod", `"clusterSelector": {"matchLabels": {"env": "prod"}}, "events": ["sync", "create"]`),
	}, s.by(s.planes["hub"].Config))
	r.run()
	s.hears("prod", "works")
	s.join("a", "alpha", "env=dev")
	s.gets(r, 0, "alpha sync x")
	s.create("a", "y")
	s.gets(r, 0, "alpha sync x", "alpha create y")
	s.join("a", "alpha", "env=prod")
	s.gets(r, 1, "alpha sync x", "alpha sync y")
	s.create("a", "z")
	s.gets(r, 1, "alpha sync x", "alpha sync y", "alpha create z")
	s.gets(r, 0, "alpha sync x", "alpha create y", "alpha create z")
	for _, ev := range r.got() {
		if why := r.triggers[1].Wants(ev); ev.Type == "create" && strings.HasSuffix(ev.Key, "/y") && why != source.BeforeStart {
			t.Errorf("what happened before the cluster was selected is %q", why)
		}
	}
	r.stop()
}

// forgotten has a cluster leave for more than an hour: its resume point goes, and no
// other.
func (s ships) forgotten(t *testing.T) {
	s = s.in(t)
	s.join("a", "alpha", "")
	s.join("b", "beta", "")
	d := newDisk()
	c := clocktesting.NewFakeClock(time.Now())
	b := bed{T: t, config: s.planes["hub"].Config}
	l := b.born(d, []asked{s.ask("t", `"clusterSelector": {}`)}, s.by(s.planes["hub"].Config), func(o *resource.Options) { o.Clock = c })
	l.run()
	kept := func() []string {
		names, err := d.Watches(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	eventually(t, func() bool { return watching(l.running, "alpha") && watching(l.running, "beta") && len(kept()) == 2 })
	s.planes["hub"].Leave(t, "alpha")
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
