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
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// process is a process that watches until it is killed.
type process struct {
	*harness
	session *storeSession
}

// startProcess starts a process on d.
func (e env) startProcess(d *fakeStore, specs []triggerSpec, opts ...option) process {
	e.Helper()
	l := e.newProcess(d, specs, opts...)
	l.run()
	l.waitForWatch()
	return l
}

// newProcess is live before it runs.
func (e env) newProcess(d *fakeStore, specs []triggerSpec, opts ...option) process {
	e.Helper()
	p, o := d.newSession()
	return process{newSharedHarness(e.T, e.config, specs, append(opts, o)...), p}
}

// kill ends it as if the machine had lost power.
func (p process) kill() {
	p.t.Helper()
	p.mu.Lock()
	p.closed = true
	p.session.kill()
	p.mu.Unlock()
	p.cancel()
	<-p.ended
	p.err = nil
}

// trigger returns a trigger that takes everything of this namespace's ConfigMaps.
func (e env) trigger(name, more string) triggerSpec {
	return triggerSpec{source.Spec{TriggerRef: event.TriggerRef{Name: name}}, e.properties(more)}
}

// parallel does something for each of n names at once.
func parallel(n int, name string, do func(string)) {
	var all sync.WaitGroup
	for part := range 10 {
		all.Go(func() {
			for i := part; i < n; i += 10 {
				do(fmt.Sprintf("%s-%03d", name, i))
			}
		})
	}
	all.Wait()
}

// A restart goes on with what was not done, without a list, and repeats nothing
// that was.
func TestRestart(t *testing.T) {
	b, d := newEnv(t), newFakeStore()
	asks := []triggerSpec{b.trigger("t", "")}
	for _, name := range []string{"a", "b", "c", "d"} {
		b.create(name, nil)
	}
	l := b.startProcess(d, asks)
	l.holdEvents(func(ev event.Event) bool { return strings.HasSuffix(ev.Key, "/b") })
	b.update("a", `{"data": {"n": "1"}}`)
	b.update("b", `{"data": {"n": "1"}}`) // not done
	b.update("a", `{"data": {"n": "2"}}`)
	b.delete("c")
	b.update("d", `{"data": {"n": "1"}}`)
	b.delete("d")
	b.create("d", nil)
	b.create("fleeting", nil)
	b.delete("fleeting")
	b.update("b", `{"data": {"n": "2"}}`) // not done
	l.waitForEvents(10)
	l.kill()
	b.update("a", `{"data": {"n": "3"}}`)
	b.delete("d")

	l = b.startProcess(d, asks)
	b.want(l.waitForEvents(4), "update b", "update b", "update a", "delete d")
	if n := l.transport.listedPages(); n != 0 {
		t.Errorf("listed %d pages", n)
	}
	l.kill()

	l = b.startProcess(d, asks)
	b.create("last", nil)
	b.want(l.waitForEvents(1), "create last")
}

// What is kept does not grow with what went.
func TestRestartForgetsWhatWent(t *testing.T) {
	b, d := newEnv(t), newFakeStore()
	l := b.startProcess(d, []triggerSpec{b.trigger("t", "")})
	l.holdEvents(func(ev event.Event) bool { return ev.Type == event.Create && strings.HasSuffix(ev.Key, "/held") })
	b.create("held", nil)
	parallel(20, "cm", func(name string) { b.create(name, nil) })
	parallel(20, "cm", b.delete)
	l.waitForEvents(41)
	if n := len(d.single().Inventory); n != 20 {
		t.Errorf("%d entries below an event that is not done, want one for each object that went", n)
	}
	l.releaseHeld()
	var left []string
	for key := range d.single().Inventory {
		left = append(left, key)
	}
	if diff := cmp.Diff([]string{b.namespace + "/held"}, left); diff != "" {
		t.Error(diff)
	}
}

// While a worker is down, and the API server forgets what happened, nothing is
// lost and nothing is made up.
func TestRestartExpired(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	b, d := env{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}, newFakeStore()
	parallel(100, "updated", func(name string) { b.create(name, nil) })
	parallel(100, "deleted", func(name string) { b.create(name, nil) })
	parallel(20, "kept", func(name string) { b.create(name, nil) })
	asks := []triggerSpec{b.trigger("t", "")}
	l := b.startProcess(d, asks)
	l.holdEvents(func(ev event.Event) bool { return true })
	b.update("kept-000", `{"data": {"n": "1"}}`) // not done
	b.create("early", nil)                       // not done
	l.waitForEvents(2)
	l.kill()

	parallel(100, "created", func(name string) { b.create(name, nil) })
	parallel(100, "updated", func(name string) { b.update(name, `{"data": {"n": "1"}}`) })
	parallel(100, "deleted", b.delete)
	c.Expire(t)

	want := map[string]int{"update kept-000": 1, "create early": 1}
	for i := range 100 {
		want[fmt.Sprintf("create created-%03d", i)] = 1
		want[fmt.Sprintf("update updated-%03d", i)] = 1
		want[fmt.Sprintf("delete deleted-%03d", i)] = 1
	}
	check := func(l process, n int) {
		t.Helper()
		got := map[string]int{}
		for _, ev := range l.waitForEvents(n) {
			got[ev.Type+" "+strings.TrimPrefix(ev.Key, b.namespace+"/")]++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	// Killed in the middle of catching up, it comes to the same.
	l = b.newProcess(d, asks, func(o *resource.Options) { o.PageSize = 30 })
	seen := 0
	l.holdEvents(func(event.Event) bool { seen++; return seen > 150 })
	l.run()
	early := l.waitForEvents(302)
	l.kill()
	for _, ev := range early[:150] {
		delete(want, ev.Type+" "+strings.TrimPrefix(ev.Key, b.namespace+"/"))
	}
	l = b.startProcess(d, asks)
	check(l, 152)
	b.create("last", nil)
	want["create last"] = 1
	check(l, 153)
}

// A restored etcd is noticed by a worker that was down meanwhile.
func TestRestartRestored(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	b, d := env{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}, newFakeStore()
	asks := []triggerSpec{b.trigger("t", "")}
	for _, name := range []string{"kept", "changed", "removed"} {
		b.create(name, nil)
	}
	c.Snapshot(t, "before")
	l := b.startProcess(d, asks)
	b.update("changed", `{"data": {"n": "1"}}`)
	b.delete("removed")
	b.create("added", nil)
	for range 10 {
		b.update("added", `{"metadata": {"labels": {"a": "b"}}}`)
		b.update("added", `{"metadata": {"labels": null}}`)
	}
	l.waitForEvents(23)
	l.kill()
	c.Restore(t, "before")
	l = b.newProcess(d, asks)
	l.holdEvents(func(event.Event) bool { return true })
	l.run()
	b.want(l.waitForEvents(3), "update changed", "create removed", "delete added")
	l.kill()

	// Killed while it catches up, it knows that it has to, although the API
	// server comes to where it had been.
	other := b
	other.namespace = c.Namespace(t)
	other.create("a", nil)
	for i := range 60 {
		other.update("a", fmt.Sprintf(`{"data": {"n": "%d"}}`, i))
	}
	l = b.startProcess(d, asks)
	b.update("kept", `{"data": {"n": "1"}}`)
	b.want(l.waitForEvents(4), "update changed", "create removed", "delete added", "update kept")
}

// What a watch selects is part of what it is.
func TestRestartWithAnotherSpec(t *testing.T) {
	b, d := newEnv(t), newFakeStore()
	l := b.startProcess(d, []triggerSpec{b.trigger("t", "")})
	b.create("a", nil)
	l.waitForEvents(1)
	l.kill()
	b.create("b", map[string]string{"app": "x"})
	l = b.startProcess(d, []triggerSpec{b.trigger("t", `, "matchingLabels": {"app": "x"}`)})
	b.create("c", map[string]string{"app": "x"})
	b.want(l.waitForEvents(1), "create c")
}

func TestFromNow(t *testing.T) {
	b, d := newEnv(t), newFakeStore()
	asks := []triggerSpec{b.trigger("t", `, "events": ["create", "update", "delete", "sync"]`)}
	b.create("before", nil)
	l := b.startProcess(d, asks)
	b.create("a", nil)
	b.want(l.waitForEvents(2), "sync before", "create a")
	l.kill()
	b.create("b", nil)
	b.delete("before")
	l = b.startProcess(d, asks, func(o *resource.Options) { o.FromNow = true })
	b.create("c", nil)
	b.want(l.waitForEvents(1), "create c")
	l.kill()
	b.create("d", nil)
	l = b.startProcess(d, asks)
	b.want(l.waitForEvents(1), "create d")
}

func TestPrune(t *testing.T) {
	b, d := newEnv(t), newFakeStore()
	l := b.startProcess(d, []triggerSpec{b.trigger("t", "")})
	l.kill()
	other := b.startProcess(d, []triggerSpec{b.trigger("t", `, "matchingLabels": {"app": "x"}`)})
	other.kill()
	d.checkpoints["somebody else's"] = d.single()
	if err := resource.Prune(t.Context(), d, l.triggers); err != nil {
		t.Fatal(err)
	}
	watches, _ := d.Watches(t.Context())
	if len(watches) != 2 || !strings.HasSuffix(watches[0], " "+l.triggers[0].Key()) || watches[1] != "somebody else's" {
		t.Errorf("left %q", watches)
	}
}

// Where the cluster's identity may not be read, its address stands for it.
func TestClusterIdentity(t *testing.T) {
	b, d := newEnv(t), newFakeStore()
	c := cluster.Start(t)
	system, err := b.client.CoreV1().Namespaces().Get(t.Context(), "kube-system", getOptions())
	if err != nil {
		t.Fatal(err)
	}
	b.startProcess(d, []triggerSpec{b.trigger("t", "")}).kill()
	b.config = c.ServiceAccount(t, b.namespace, "reader", rule("configmaps", "list", "watch"))
	b.startProcess(d, []triggerSpec{b.trigger("t", "")}, func(o *resource.Options) { o.Server = b.config.Host }).kill()
	watches, _ := d.Watches(t.Context())
	for i, want := range []string{string(system.UID), b.config.Host} {
		if i >= len(watches) || !strings.Contains(strings.Join(watches, "\n"), want+" ") {
			t.Errorf("no watch of %s in %q", want, watches)
		}
	}
}
