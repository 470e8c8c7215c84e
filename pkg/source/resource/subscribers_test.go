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
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// A trigger that is added to a watch starts now; other triggers get the events during
// the downtime.
func TestNewTrigger_Start(t *testing.T) {
	e, store := newEnv(t), newFakeStore()
	existing, added := e.trigger("old", ""), e.trigger("young", "")
	e.create("a", nil)
	p := e.startProcess(store, []triggerSpec{existing})
	p.kill()
	e.update("a", `{"data": {"n": "1"}}`)
	e.create("b", nil)
	e.delete("b")

	p = e.newProcess(store, []triggerSpec{added, existing})
	p.holdEvents(func(ev event.Event) bool { return strings.HasSuffix(ev.Key, "/c") })
	p.run()
	p.waitForEvents(3)
	e.create("c", nil)
	e.create("d", nil)
	p.waitForEvents(5)
	e.want(p.accepted(1), "update a", "create b", "delete b", "create c", "create d")
	e.want(p.accepted(0), "create c", "create d")
	p.kill()

	// After its first start it gets the events during a downtime, too.
	e.delete("a")
	p = e.startProcess(store, []triggerSpec{added, existing})
	p.waitForEvents(2)
	e.want(p.accepted(1), "create c", "delete a")
	e.want(p.accepted(0), "create c", "delete a")
}

// Pending events from before the trigger's first start are not delivered to it after a
// further restart either.
func TestNewTrigger_Crash(t *testing.T) {
	e, store := newEnv(t), newFakeStore()
	existing, added := e.trigger("old", ""), e.trigger("young", "")
	e.startProcess(store, []triggerSpec{existing}).kill()
	e.create("a", nil)
	e.create("b", nil)
	p := e.newProcess(store, []triggerSpec{added, existing})
	p.holdEvents(func(event.Event) bool { return true })
	p.run()
	p.waitForEvents(2)
	e.create("c", nil)
	p.waitForEvents(3)
	p.kill()
	p = e.startProcess(store, []triggerSpec{added, existing})
	p.waitForEvents(3)
	e.want(p.accepted(1), "create a", "create b", "create c")
	e.want(p.accepted(0), "create c")
}

// The same after the history expired.
func TestNewTrigger_Expired(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	e, store := env{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}, newFakeStore()
	existing, added := e.trigger("old", ""), e.trigger("young", "")
	e.create("a", nil)
	e.create("b", nil)
	e.startProcess(store, []triggerSpec{existing}).kill()
	e.update("a", `{"data": {"n": "1"}}`)
	e.delete("b")
	e.create("c", nil)
	c.Expire(t)
	p := e.startProcess(store, []triggerSpec{added, existing})
	p.waitForEvents(3)
	e.create("d", nil)
	p.waitForEvents(4)
	e.want(p.accepted(1), "update a", "create c", "delete b", "create d")
	e.want(p.accepted(0), "create d")
}

const withSync = `, "events": ["create", "update", "delete", "sync"]`

// Each trigger gets the sync events once, across restarts.
func TestSync_Restart(t *testing.T) {
	e, store := newEnv(t), newFakeStore()
	for _, name := range []string{"a", "b", "c", "d"} {
		e.create(name, nil)
	}
	first := e.trigger("first", withSync)
	p := e.newProcess(store, []triggerSpec{first})
	p.holdEvents(func(ev event.Event) bool { return !strings.HasSuffix(ev.Key, "/a") })
	p.run()
	e.want(p.waitForEvents(4), "sync a", "sync b", "sync c", "sync d")
	p.kill()
	e.delete("b")
	e.create("e", nil)

	// An interrupted sync is completed, with the state where the watch started.
	p = e.startProcess(store, []triggerSpec{first})
	e.want(p.waitForEvents(5), "sync b", "sync c", "sync d", "delete b", "create e")
	p.kill()

	// A complete sync is not repeated; an added trigger gets its own.
	p = e.startProcess(store, []triggerSpec{first, e.trigger("second", withSync), e.trigger("third", "")})
	e.create("f", nil)
	p.waitForEvents(5)
	e.want(p.accepted(0), "create f")
	e.want(p.accepted(1), "sync a", "sync c", "sync d", "sync e", "create f")
	e.want(p.accepted(2), "create f")
	p.kill()
	p = e.startProcess(store, []triggerSpec{first, e.trigger("second", withSync), e.trigger("third", "")})
	e.create("g", nil)
	e.want(p.waitForEvents(1), "create g")
}
