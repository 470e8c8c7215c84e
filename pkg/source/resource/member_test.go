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
	b, d := newBed(t), newDisk()
	old, young := b.one("old", ""), b.one("young", "")
	b.create("a", nil)
	l := b.live(d, []asked{old})
	l.kill()
	b.update("a", `{"data": {"n": "1"}}`)
	b.create("b", nil)
	b.delete("b")

	l = b.born(d, []asked{young, old})
	l.holding(func(ev event.Event) bool { return strings.HasSuffix(ev.Key, "/c") })
	l.run()
	l.until(3)
	b.create("c", nil)
	b.create("d", nil)
	l.until(5)
	b.want(l.taken(1), "update a", "create b", "delete b", "create c", "create d")
	b.want(l.taken(0), "create c", "create d")
	l.kill()

	// What it missed as a known one is for it.
	b.delete("a")
	l = b.live(d, []asked{young, old})
	l.until(2)
	b.want(l.taken(1), "create c", "delete a")
	b.want(l.taken(0), "create c", "delete a")
}

// Where the young trigger is there before the old events are done, it does not
// get them after a further restart either.
func TestNewTriggerIsKilled(t *testing.T) {
	b, d := newBed(t), newDisk()
	old, young := b.one("old", ""), b.one("young", "")
	b.live(d, []asked{old}).kill()
	b.create("a", nil)
	b.create("b", nil)
	l := b.born(d, []asked{young, old})
	l.holding(func(event.Event) bool { return true })
	l.run()
	l.until(2)
	b.create("c", nil)
	l.until(3)
	l.kill()
	l = b.live(d, []asked{young, old})
	l.until(3)
	b.want(l.taken(1), "create a", "create b", "create c")
	b.want(l.taken(0), "create c")
}

// The same where the difference is found by comparing.
func TestNewTriggerExpired(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	b, d := bed{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}, newDisk()
	old, young := b.one("old", ""), b.one("young", "")
	b.create("a", nil)
	b.create("b", nil)
	b.live(d, []asked{old}).kill()
	b.update("a", `{"data": {"n": "1"}}`)
	b.delete("b")
	b.create("c", nil)
	c.Expire(t)
	l := b.live(d, []asked{young, old})
	l.until(3)
	b.create("d", nil)
	l.until(4)
	b.want(l.taken(1), "update a", "create c", "delete b", "create d")
	b.want(l.taken(0), "create d")
}

const withSync = `, "events": ["create", "update", "delete", "sync"]`

// Objects that exist are announced once to each trigger, whatever restarts.
func TestSyncAndRestart(t *testing.T) {
	b, d := newBed(t), newDisk()
	for _, name := range []string{"a", "b", "c", "d"} {
		b.create(name, nil)
	}
	first := b.one("first", withSync)
	l := b.born(d, []asked{first})
	l.holding(func(ev event.Event) bool { return !strings.HasSuffix(ev.Key, "/a") })
	l.run()
	b.want(l.until(4), "sync a", "sync b", "sync c", "sync d")
	l.kill()
	b.delete("b")
	b.create("e", nil)

	// Interrupted, it is completed, as of where the watch began.
	l = b.live(d, []asked{first})
	b.want(l.until(5), "sync b", "sync c", "sync d", "delete b", "create e")
	l.kill()

	// Complete, it is not repeated; a further trigger gets its own.
	l = b.live(d, []asked{first, b.one("second", withSync), b.one("third", "")})
	b.create("f", nil)
	l.until(5)
	b.want(l.taken(0), "create f")
	b.want(l.taken(1), "sync a", "sync c", "sync d", "sync e", "create f")
	b.want(l.taken(2), "create f")
	l.kill()
	l = b.live(d, []asked{first, b.one("second", withSync), b.one("third", "")})
	b.create("g", nil)
	b.want(l.until(1), "create g")
}
