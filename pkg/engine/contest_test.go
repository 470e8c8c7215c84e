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

package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// undoneDetector has another client that undoes each write of the trigger, to the object of
// each event.
type undoneDetector struct {
	reachDetector
	mu     *sync.Mutex
	writes map[string]int
}

func newUndoneDetector(d reachDetector) undoneDetector {
	return undoneDetector{d, &sync.Mutex{}, map[string]int{}}
}

func (d undoneDetector) WithCauses(ctx context.Context, ev event.Event, _ string) context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes[ev.Key]++
	return ctx
}

func (d undoneDetector) Undone(ev event.Event) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return max(d.writes[ev.Key]-1, 0)
}

// TestContest has a client that sets a field back after each write: each 15 s as in
// temporalio/temporal-worker-controller#527, each 5 minutes as in
// kubestellar/kubestellar#3962, or at once. Its object waits, and no other.
func TestContest(t *testing.T) {
	for name, turn := range map[string]time.Duration{"at-once": time.Millisecond, "autoscaler": 15 * time.Second, "sync": 5 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := startCircle(t, newUndoneDetector(reachDetector{true, true}), engine.Policy{}, nil)
				turns := 0
				e.setEffect(func(id string) {
					if strings.HasPrefix(id, "other") {
						return
					}
					turns++
					next := fmt.Sprint("hot ", turns)
					time.AfterFunc(turn, func() { e.send("hot", next) })
				})
				e.send("hot", "hot")
				advance(time.Duration(engine.LoopLimit+2) * turn)
				for i := range 20 {
					id := fmt.Sprint("other ", i)
					e.send(id, id)
					advance(time.Minute)
				}
				all := e.engine.Pauses()
				if len(all) != 1 || all[0].Object != "hot" || all[0].Waiting != 1 || all[0].Turns < engine.LoopLimit || !all[0].NextProbe.After(time.Now()) {
					t.Errorf("pauses %+v", all)
				}
				for i := range 20 {
					id := fmt.Sprint("other ", i)
					if d := e.delayOf(id); d > time.Second {
						t.Errorf("an action on another object came after %s", d)
					}
				}
				advance(time.Hour)
				if turns > 60 {
					t.Errorf("%d actions", turns)
				}
				e.setEffect(nil)
				advance(2 * engine.PauseMax)
				if _, missing := e.delay(); missing > 0 || len(e.engine.Pauses()) > 0 {
					t.Errorf("%d events are lost; pauses %+v", missing, e.engine.Pauses())
				}
				e.stop()
			})
		})
	}
}

// TestContest_Independent has a client that replaces an object, and with it what the
// trigger has written, at its own pace, as exporters of metrics do. Each state is acted on.
func TestContest_Independent(t *testing.T) {
	for name, c := range map[string]struct {
		interval time.Duration
		events   int
		delay    time.Duration
	}{
		"5-seconds": {5 * time.Second, 720, 30 * time.Second},
		"1-second":  {time.Second, 3600, 10 * time.Second},
		"2-minutes": {2 * time.Minute, 300, 11 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := startCircle(t, newUndoneDetector(reachDetector{}), engine.Policy{}, nil)
				for i := range c.events {
					e.send("hot", fmt.Sprint(i))
					time.Sleep(c.interval)
				}
				advance(time.Hour)
				longest, missing := e.delay()
				t.Logf("longest delay %s", longest)
				if missing > 0 || longest > c.delay || len(e.engine.Pauses()) > 0 {
					t.Errorf("%d events have no action, the longest delay is %s, pauses %+v", missing, longest, e.engine.Pauses())
				}
				waited := false
				for _, d := range e.decisions {
					waited = waited || d.Reason == engine.ReasonLoopSuspected
				}
				if !waited {
					t.Error("no event waited")
				}
				e.stop()
			})
		})
	}
}
