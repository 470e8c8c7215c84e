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

// process is a process that runs until it is killed.
type process struct {
	*harness
	session *storeSession
}

// startProcess starts a process with this store.
func (e env) startProcess(store *fakeStore, specs []triggerSpec, opts ...option) process {
	e.Helper()
	p := e.newProcess(store, specs, opts...)
	p.run()
	p.waitForWatch()
	return p
}

// newProcess returns a process that is not running yet.
func (e env) newProcess(store *fakeStore, specs []triggerSpec, opts ...option) process {
	e.Helper()
	session, o := store.newSession()
	return process{newSharedHarness(e.T, e.config, specs, append(opts, o)...), session}
}

// kill ends the process like a power failure.
func (p process) kill() {
	p.t.Helper()
	p.mu.Lock()
	p.closed = true
	p.session.kill()
	p.mu.Unlock()
	p.cancel()
	cluster.Receive(p.t, "the end of Run", p.ended)
	p.err = nil
}

// trigger returns a trigger for the ConfigMaps of the namespace.
func (e env) trigger(name, more string) triggerSpec {
	return triggerSpec{source.Spec{TriggerRef: event.TriggerRef{Name: name}}, e.properties(more)}
}

// parallel calls do with n names, concurrently.
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

// A restart resumes without a list. Events that are not done are repeated, no others.
func TestRestart_Resume(t *testing.T) {
	e, store := newEnv(t), newFakeStore()
	specs := []triggerSpec{e.trigger("t", "")}
	for _, name := range []string{"a", "b", "c", "d"} {
		e.create(name, nil)
	}
	p := e.startProcess(store, specs)
	p.holdEvents(func(ev event.Event) bool { return strings.HasSuffix(ev.Key, "/b") })
	e.update("a", `{"data": {"n": "1"}}`)
	e.update("b", `{"data": {"n": "1"}}`) // not done
	e.update("a", `{"data": {"n": "2"}}`)
	e.delete("c")
	e.update("d", `{"data": {"n": "1"}}`)
	e.delete("d")
	e.create("d", nil)
	e.create("fleeting", nil)
	e.delete("fleeting")
	e.update("b", `{"data": {"n": "2"}}`) // not done
	p.waitForEvents(10)
	p.kill()
	e.update("a", `{"data": {"n": "3"}}`)
	e.delete("d")

	p = e.startProcess(store, specs)
	e.want(p.waitForEvents(4), "update b", "update b", "update a", "delete d")
	if n := p.transport.listedPages(); n != 0 {
		t.Errorf("listed %d pages", n)
	}
	p.kill()

	p = e.startProcess(store, specs)
	e.create("last", nil)
	e.want(p.waitForEvents(1), "create last")
}

// Tombstones are deleted when the position has passed them.
func TestRestart_Tombstones(t *testing.T) {
	e, store := newEnv(t), newFakeStore()
	p := e.startProcess(store, []triggerSpec{e.trigger("t", "")})
	p.holdEvents(func(ev event.Event) bool { return ev.Type == event.Create && strings.HasSuffix(ev.Key, "/held") })
	e.create("held", nil)
	parallel(20, "cm", func(name string) { e.create(name, nil) })
	parallel(20, "cm", e.delete)
	p.waitForEvents(41)
	if n := len(store.single(t)); n != 20 {
		t.Errorf("%d entries above a pending event, want one for each deleted object", n)
	}
	p.releaseHeld()
	var left []string
	for key := range store.single(t) {
		left = append(left, key)
	}
	if diff := cmp.Diff([]string{e.namespace + "/held"}, left); diff != "" {
		t.Error(diff)
	}
}

// If the history expires while the worker is down, exactly the differences are
// delivered.
func TestRestart_Expired(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	e, store := env{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}, newFakeStore()
	parallel(100, "updated", func(name string) { e.create(name, nil) })
	parallel(100, "deleted", func(name string) { e.create(name, nil) })
	parallel(20, "kept", func(name string) { e.create(name, nil) })
	specs := []triggerSpec{e.trigger("t", "")}
	p := e.startProcess(store, specs)
	p.holdEvents(func(ev event.Event) bool { return true })
	e.update("kept-000", `{"data": {"n": "1"}}`) // not done
	e.create("early", nil)                       // not done
	p.waitForEvents(2)
	p.kill()

	parallel(100, "created", func(name string) { e.create(name, nil) })
	parallel(100, "updated", func(name string) { e.update(name, `{"data": {"n": "1"}}`) })
	parallel(100, "deleted", e.delete)
	c.Expire(t)

	want := map[string]int{"update kept-000": 1, "create early": 1}
	for i := range 100 {
		want[fmt.Sprintf("create created-%03d", i)] = 1
		want[fmt.Sprintf("update updated-%03d", i)] = 1
		want[fmt.Sprintf("delete deleted-%03d", i)] = 1
	}
	check := func(p process, n int) {
		t.Helper()
		got := map[string]int{}
		for _, ev := range p.waitForEvents(n) {
			got[ev.Type+" "+strings.TrimPrefix(ev.Key, e.namespace+"/")]++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	// Killed during the relist, it delivers the same events.
	p = e.newProcess(store, specs, func(o *resource.Options) { o.PageSize = 30 })
	received := 0
	p.holdEvents(func(event.Event) bool { received++; return received > 150 })
	p.run()
	early := p.waitForEvents(302)
	p.kill()
	for _, ev := range early[:150] {
		delete(want, ev.Type+" "+strings.TrimPrefix(ev.Key, e.namespace+"/"))
	}
	p = e.startProcess(store, specs)
	check(p, 152)
	e.create("last", nil)
	want["create last"] = 1
	check(p, 153)
}

// A restore of etcd while the worker is down is detected.
func TestRestart_EtcdRestored(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	e, store := env{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}, newFakeStore()
	specs := []triggerSpec{e.trigger("t", "")}
	for _, name := range []string{"kept", "changed", "removed"} {
		e.create(name, nil)
	}
	c.Snapshot(t, "before")
	p := e.startProcess(store, specs)
	e.update("changed", `{"data": {"n": "1"}}`)
	e.delete("removed")
	e.create("added", nil)
	for range 10 {
		e.update("added", `{"metadata": {"labels": {"a": "b"}}}`)
		e.update("added", `{"metadata": {"labels": null}}`)
	}
	p.waitForEvents(23)
	p.kill()
	c.Restore(t, "before")
	p = e.newProcess(store, specs)
	p.holdEvents(func(event.Event) bool { return true })
	p.run()
	e.want(p.waitForEvents(3), "update changed", "create removed", "delete added")
	p.kill()

	// Killed during the relist, it lists again, although the API server has reached
	// the old position meanwhile.
	other := e
	other.namespace = c.Namespace(t)
	other.create("a", nil)
	for i := range 60 {
		other.update("a", fmt.Sprintf(`{"data": {"n": "%d"}}`, i))
	}
	p = e.startProcess(store, specs)
	e.update("kept", `{"data": {"n": "1"}}`)
	e.want(p.waitForEvents(4), "update changed", "create removed", "delete added", "update kept")
}

// A watch with another selector has another checkpoint.
func TestRestart_OtherSelector(t *testing.T) {
	e, store := newEnv(t), newFakeStore()
	p := e.startProcess(store, []triggerSpec{e.trigger("t", "")})
	e.create("a", nil)
	p.waitForEvents(1)
	p.kill()
	e.create("b", map[string]string{"app": "x"})
	p = e.startProcess(store, []triggerSpec{e.trigger("t", `, "matchingLabels": {"app": "x"}`)})
	e.create("c", map[string]string{"app": "x"})
	e.want(p.waitForEvents(1), "create c")
}

func TestRestart_FromNow(t *testing.T) {
	e, store := newEnv(t), newFakeStore()
	specs := []triggerSpec{e.trigger("t", `, "events": ["create", "update", "delete", "sync"]`)}
	e.create("before", nil)
	p := e.startProcess(store, specs)
	e.create("a", nil)
	e.want(p.waitForEvents(2), "sync before", "create a")
	p.kill()
	e.create("b", nil)
	e.delete("before")
	p = e.startProcess(store, specs, func(o *resource.Options) { o.FromNow = true })
	e.create("c", nil)
	e.want(p.waitForEvents(1), "create c")
	p.kill()
	e.create("d", nil)
	p = e.startProcess(store, specs)
	e.want(p.waitForEvents(1), "create d")
}

func TestPrune(t *testing.T) {
	e, store := newEnv(t), newFakeStore()
	p := e.startProcess(store, []triggerSpec{e.trigger("t", "")})
	p.kill()
	other := e.startProcess(store, []triggerSpec{e.trigger("t", `, "matchingLabels": {"app": "x"}`)})
	other.kill()
	if names, _ := store.List(t.Context()); len(names) != 2 {
		t.Errorf("checkpoints %q", names)
	}
	store.prune(t, p.triggers...)
	names, _ := store.List(t.Context())
	if len(names) != 1 || !strings.HasSuffix(names[0], " "+p.triggers[0].Key()) {
		t.Errorf("left %q", names)
	}
}

// The cluster is identified by its address if reading its UID is forbidden.
func TestRestart_ClusterID(t *testing.T) {
	e, store := newEnv(t), newFakeStore()
	c := cluster.Start(t)
	system, err := e.client.CoreV1().Namespaces().Get(t.Context(), "kube-system", getOptions())
	if err != nil {
		t.Fatal(err)
	}
	e.startProcess(store, []triggerSpec{e.trigger("t", "")}).kill()
	e.config = c.ServiceAccount(t, e.namespace, "reader", rule("configmaps", "list", "watch"))
	e.startProcess(store, []triggerSpec{e.trigger("t", "")}, func(o *resource.Options) { o.Server = e.config.Host }).kill()
	watches, _ := store.List(t.Context())
	for i, want := range []string{string(system.UID), e.config.Host} {
		if i >= len(watches) || !strings.Contains(strings.Join(watches, "\n"), want+" ") {
			t.Errorf("no checkpoint of %s in %q", want, watches)
		}
	}
}
