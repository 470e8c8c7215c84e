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

// A trigger that is new on a known watch starts now; the others get what they
// missed.
func TestNewTrigger(t *testing.T) {
	b, d := newEnv(t), newFakeStore()
	old, young := b.trigger("old", ""), b.trigger("young", "")
	b.create("a", nil)
	l := b.startProcess(d, []triggerSpec{old})
	l.kill()
	b.update("a", `{"data": {"n": "1"}}`)
	b.create("b", nil)
	b.delete("b")

	l = b.newProcess(d, []triggerSpec{young, old})
	l.holdEvents(func(ev event.Event) bool { return strings.HasSuffix(ev.Key, "/c") })
	l.run()
	l.waitForEvents(3)
	b.create("c", nil)
	b.create("d", nil)
	l.waitForEvents(5)
	b.want(l.accepted(1), "update a", "create b", "delete b", "create c", "create d")
	b.want(l.accepted(0), "create c", "create d")
	l.kill()

	// What it missed as a known one is for it.
	b.delete("a")
	l = b.startProcess(d, []triggerSpec{young, old})
	l.waitForEvents(2)
	b.want(l.accepted(1), "create c", "delete a")
	b.want(l.accepted(0), "create c", "delete a")
}

// Where the young trigger is there before the old events are done, it does not
// get them after a further restart either.
func TestNewTriggerIsKilled(t *testing.T) {
	b, d := newEnv(t), newFakeStore()
	old, young := b.trigger("old", ""), b.trigger("young", "")
	b.startProcess(d, []triggerSpec{old}).kill()
	b.create("a", nil)
	b.create("b", nil)
	l := b.newProcess(d, []triggerSpec{young, old})
	l.holdEvents(func(event.Event) bool { return true })
	l.run()
	l.waitForEvents(2)
	b.create("c", nil)
	l.waitForEvents(3)
	l.kill()
	l = b.startProcess(d, []triggerSpec{young, old})
	l.waitForEvents(3)
	b.want(l.accepted(1), "create a", "create b", "create c")
	b.want(l.accepted(0), "create c")
}

// The same where the difference is found by comparing.
func TestNewTriggerExpired(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	b, d := env{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}, newFakeStore()
	old, young := b.trigger("old", ""), b.trigger("young", "")
	b.create("a", nil)
	b.create("b", nil)
	b.startProcess(d, []triggerSpec{old}).kill()
	b.update("a", `{"data": {"n": "1"}}`)
	b.delete("b")
	b.create("c", nil)
	c.Expire(t)
	l := b.startProcess(d, []triggerSpec{young, old})
	l.waitForEvents(3)
	b.create("d", nil)
	l.waitForEvents(4)
	b.want(l.accepted(1), "update a", "create c", "delete b", "create d")
	b.want(l.accepted(0), "create d")
}

const withSync = `, "events": ["create", "update", "delete", "sync"]`

// Objects that exist are announced once to each trigger, whatever restarts.
func TestSyncAndRestart(t *testing.T) {
	b, d := newEnv(t), newFakeStore()
	for _, name := range []string{"a", "b", "c", "d"} {
		b.create(name, nil)
	}
	first := b.trigger("first", withSync)
	l := b.newProcess(d, []triggerSpec{first})
	l.holdEvents(func(ev event.Event) bool { return !strings.HasSuffix(ev.Key, "/a") })
	l.run()
	b.want(l.waitForEvents(4), "sync a", "sync b", "sync c", "sync d")
	l.kill()
	b.delete("b")
	b.create("e", nil)

	// Interrupted, it is completed, as of where the watch began.
	l = b.startProcess(d, []triggerSpec{first})
	b.want(l.waitForEvents(5), "sync b", "sync c", "sync d", "delete b", "create e")
	l.kill()

	// Complete, it is not repeated; a further trigger gets its own.
	l = b.startProcess(d, []triggerSpec{first, b.trigger("second", withSync), b.trigger("third", "")})
	b.create("f", nil)
	l.waitForEvents(5)
	b.want(l.accepted(0), "create f")
	b.want(l.accepted(1), "sync a", "sync c", "sync d", "sync e", "create f")
	b.want(l.accepted(2), "create f")
	l.kill()
	l = b.startProcess(d, []triggerSpec{first, b.trigger("second", withSync), b.trigger("third", "")})
	b.create("g", nil)
	b.want(l.waitForEvents(1), "create g")
}
