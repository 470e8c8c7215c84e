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

package cluster_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/cluster"
	testcluster "github.com/kubevela/kube-trigger/test/cluster"
)

// TestWatchDeadLetters counts the dead letters of two stores, one of which existed before, and
// tells of a replay request.
func TestWatchDeadLetters(t *testing.T) {
	e := newEnv(t)
	leader := e.elect(t, e.electionOptions("worker"))
	defer func() { must(t, leader.Close()) }()
	const long = "a-name-that-is-longer-than-the-forty-characters-of-a-label"
	letters := map[string]store.DeadLetters{}
	for _, owner := range []string{"short", long} {
		o := e.options(leader)
		o.Owner = owner
		s, err := cluster.Open(t.Context(), o)
		must(t, err)
		defer func() { must(t, s.Close()) }()
		letters[owner] = s.DeadLetters()
	}
	put := func(owner, event string) string {
		t.Helper()
		id, err := letters[owner].Put(t.Context(), deadLetter(event))
		must(t, err)
		return id
	}
	first := put("short", "1")
	w, err := cluster.WatchDeadLetters(t.Context(), e.options(leader).Client, e.namespace)
	must(t, err)
	want := func(step string, short, other int) {
		t.Helper()
		testcluster.Eventually(t, step, func(context.Context) error {
			if got := [2]int{w.Count("short"), w.Count(long)}; got != [2]int{short, other} {
				return fmt.Errorf("got %v", got)
			}
			return nil
		})
	}
	want("one that existed", 1, 0)
	put("short", "2")
	put(long, "1")
	want("two more", 2, 1)
	must(t, letters["short"].RequestReplay(t.Context(), first))
	<-w.Replays("short")
	must(t, letters["short"].Delete(t.Context(), first))
	want("one less", 1, 1)
	select {
	case <-w.Replays(long):
		t.Error("the replay of another owner's dead letter is told")
	default:
	}
}

func deadLetter(id string) store.DeadLetter {
	return store.DeadLetter{
		Trigger: event.TriggerRef{Namespace: "ns", Name: "t"}, Reason: "Terminal", Error: "failed", Attempts: 1,
		Event: event.Event{Source: "cronjob", Type: "tick", ID: id, Key: id, Data: map[string]any{}},
	}
}
