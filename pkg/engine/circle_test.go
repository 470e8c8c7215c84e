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
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// reachDetector knows no causes. The trigger's actions may lead to every event.
type reachDetector struct{ may, direct bool }

func (reachDetector) OwnWrite(context.Context, event.Event) (bool, error) { return false, nil }
func (reachDetector) Circular(event.Event) bool                           { return false }
func (reachDetector) Turns(event.Event) int                               { return 0 }
func (reachDetector) Undone(event.Event) int                              { return 0 }
func (d reachDetector) MayCause(event.Event) (may, direct bool)           { return d.may, d.direct }

func (reachDetector) WithCauses(ctx context.Context, _ event.Event, _ string) context.Context {
	return ctx
}

// turningDetector knows the turns of events, whose IDs start with them.
type turningDetector struct{ reachDetector }

func (turningDetector) Turns(ev event.Event) int {
	var turns int
	_, _ = fmt.Sscanf(ev.ID, "%d ", &turns)
	return turns
}

// circleEnv is a trigger with a recorded action. Its time is that of the bubble.
type circleEnv struct {
	*harness
	mu sync.Mutex
	// acted holds the time of the action on each event.
	acted map[string]time.Time
	// sent holds the time of each delivered event.
	sent map[string]time.Time
	// effect is called at the end of each action, one at a time; it may be nil.
	effect    func(id string)
	effecting sync.Mutex
	// acting is the duration of an action. One with an ID that starts with "gone" fails.
	acting time.Duration
}

func startCircle(t *testing.T, d engine.LoopDetector, p engine.Policy, filter engine.Filter) *circleEnv {
	e := &circleEnv{acted: map[string]time.Time{}, sent: map[string]time.Time{}, acting: time.Millisecond}
	e.harness = start(t, engine.Options{}, triggerSpec{LoopDetector: d, Policy: p, Filter: filter, Action: actionFunc(func(_ context.Context, ev event.Event) error {
		time.Sleep(e.acting)
		e.mu.Lock()
		e.acted[ev.ID] = time.Now()
		effect := e.effect
		e.mu.Unlock()
		if effect != nil {
			e.effecting.Lock()
			defer e.effecting.Unlock()
			effect(ev.ID)
		}
		if strings.HasPrefix(ev.ID, "gone") {
			return goneError{}
		}
		return nil
	})})
	return e
}

// send delivers an event of the object key.
func (e *circleEnv) send(key, id string) {
	e.mu.Lock()
	e.sent[id] = time.Now()
	e.mu.Unlock()
	_ = e.tryDeliver(e.t.Context(), key, id) // fails when the engine stops
}

// sendAfter delivers n new events of new objects after d.
func (e *circleEnv) sendAfter(d time.Duration, turn, n int) {
	time.AfterFunc(d, func() {
		for range n {
			e.mu.Lock()
			id := fmt.Sprintf("%d %d", turn, len(e.sent))
			e.sent[id] = time.Now()
			e.mu.Unlock()
			e.send(id, id)
		}
	})
}

// count returns the number of events.
func (e *circleEnv) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.sent)
}

func (e *circleEnv) actions() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.acted)
}

func (e *circleEnv) setEffect(f func(id string)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.effect = f
}

func (e *circleEnv) hasActed(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.acted[id]
	return ok
}

// delayOf returns the time between an event and its action.
func (e *circleEnv) delayOf(id string) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.acted[id].Sub(e.sent[id])
}

// delay returns the longest time between an event and its action, and the number of
// events without an action.
func (e *circleEnv) delay() (longest time.Duration, missing int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, sent := range e.sent {
		acted, ok := e.acted[id]
		if !ok {
			missing++
			continue
		}
		longest = max(longest, acted.Sub(sent))
	}
	return longest, missing
}

// TestCircle_Pauses has triggers whose actions lead to new events, in ways that are not
// known. They are paused, and nothing is lost when the circle ends.
func TestCircle_Pauses(t *testing.T) {
	for name, c := range map[string]struct {
		detector engine.LoopDetector
		latency  time.Duration
		// fanOut is the number of events that an action leads to, and roots the number of
		// events by others.
		fanOut, roots int
		policy        engine.Policy
	}{
		"immediate":    {detector: reachDetector{true, true}, latency: 0, fanOut: 1, roots: 1},
		"fast":         {detector: reachDetector{true, true}, latency: 10 * time.Millisecond, fanOut: 1, roots: 1},
		"reconciled":   {detector: reachDetector{true, true}, latency: 2 * time.Second, fanOut: 1, roots: 1},
		"slow":         {detector: reachDetector{true, true}, latency: 8 * time.Second, fanOut: 1, roots: 1},
		"two-each":     {detector: reachDetector{true, true}, latency: 10 * time.Millisecond, fanOut: 2, roots: 1},
		"ten-each":     {detector: reachDetector{true, true}, latency: time.Second, fanOut: 10, roots: 1},
		"at-once":      {detector: reachDetector{true, true}, latency: 100 * time.Millisecond, fanOut: 1, roots: 20},
		"other-server": {detector: reachDetector{true, false}, latency: 100 * time.Millisecond, fanOut: 1, roots: 1},
		"known-causes": {detector: turningDetector{}, latency: 10 * time.Millisecond, fanOut: 2, roots: 1},
		"debounced":    {detector: reachDetector{true, true}, latency: 10 * time.Millisecond, fanOut: 1, roots: 1, policy: engine.Policy{Debounce: 5 * time.Second}},
		"one-worker":   {detector: reachDetector{true, true}, latency: 10 * time.Millisecond, fanOut: 2, roots: 1, policy: engine.Policy{Concurrency: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := startCircle(t, c.detector, c.policy, nil)
				e.setEffect(func(id string) {
					var turn int
					_, _ = fmt.Sscanf(id, "%d ", &turn)
					e.sendAfter(c.latency, turn+1, c.fanOut)
				})
				for i := range c.roots {
					id := fmt.Sprintf("0 root-%d", i)
					e.send(id, id)
				}
				advance(time.Hour)
				if n := e.actions(); n > 60+c.roots {
					t.Errorf("%d actions", n)
				}
				all := e.engine.Pauses()
				if len(all) != 1 || all[0].Trigger.Name != "t0" || all[0].Turns != engine.LoopLimit+1 || all[0].Waiting == 0 || !all[0].NextProbe.After(time.Now()) {
					t.Errorf("pauses %+v", all)
				}
				e.setEffect(nil)
				advance(2 * engine.PauseMax)
				if len(e.engine.Pauses()) != 0 {
					t.Error("the pause does not end")
				}
				if _, missing := e.delay(); missing > 0 {
					t.Errorf("%d events are lost", missing)
				}
				e.stop()
			})
		})
	}
}

// TestCircle_Probes waits longer before each probe.
func TestCircle_Probes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := startCircle(t, reachDetector{true, true}, engine.Policy{}, nil)
		var times []time.Time
		e.setEffect(func(string) {
			times = append(times, time.Now())
			e.sendAfter(time.Millisecond, 0, 1)
		})
		e.send("root", "root")
		advance(2 * time.Hour)
		probes := times[engine.LoopLimit+1:]
		want := engine.PauseInitial
		for i := 1; i < len(probes); i++ {
			want = min(2*want, engine.PauseMax)
			most := time.Duration((1+engine.Jitter)*float64(want)) + time.Second
			if wait := probes[i].Sub(probes[i-1]); wait < want-time.Second || wait > most {
				t.Errorf("probe %d after %s, want %s to %s", i, wait, want, most)
			}
		}
		if len(probes) < 10 {
			t.Errorf("%d probes in two hours", len(probes))
		}
		e.stop()
	})
}

// TestCircle_Independent has loads that look like a circle: each event follows an
// action. Each is acted on, at most delay later.
func TestCircle_Independent(t *testing.T) {
	for name, c := range map[string]struct {
		detector engine.LoopDetector
		// burst is the number of events at the start of each 1,000, 2 ms apart.
		burst     int
		events    int
		interval  time.Duration
		acting    time.Duration
		queueSize int
		delay     time.Duration
	}{
		"at-once":          {reachDetector{true, true}, 0, 5000, 0, 5 * time.Millisecond, 0, time.Minute},
		"burst":            {reachDetector{true, true}, 0, 5000, 5 * time.Millisecond, 5 * time.Millisecond, 0, time.Minute},
		"small-queue":      {reachDetector{true, true}, 0, 5000, time.Millisecond, 5 * time.Millisecond, 50, 2 * time.Minute},
		"steady":           {reachDetector{true, true}, 0, 5000, 100 * time.Millisecond, 5 * time.Millisecond, 0, 12 * time.Second},
		"steady-long":      {reachDetector{true, true}, 0, 100_000, 50 * time.Millisecond, 5 * time.Millisecond, 0, 12 * time.Second},
		"slow":             {reachDetector{true, true}, 0, 5000, 5 * time.Second, 50 * time.Millisecond, 0, 30 * time.Second},
		"slower":           {reachDetector{true, true}, 0, 5000, 9 * time.Second, 50 * time.Millisecond, 0, time.Minute},
		"slow-action":      {reachDetector{true, true}, 0, 500, time.Second, 10 * time.Second, 0, time.Hour},
		"windows":          {reachDetector{true, true}, 999, 20_000, 7 * time.Second, time.Millisecond, 0, 25 * time.Second},
		"burst-first":      {reachDetector{true, true}, 100, 1000, time.Second, time.Millisecond, 0, 15 * time.Second},
		"bursts":           {reachDetector{true, true}, 100, 10_000, time.Second, time.Millisecond, 0, 30 * time.Second},
		"bursts-of-calls":  {reachDetector{true, false}, 100, 10_000, time.Second, time.Millisecond, 0, 30 * time.Second},
		"far-apart":        {reachDetector{true, true}, 0, 500, 11 * time.Second, time.Millisecond, 0, time.Second},
		"unreachable":      {reachDetector{}, 0, 5000, 10 * time.Millisecond, time.Millisecond, 0, time.Second},
		"another-server":   {reachDetector{true, false}, 0, 5000, 50 * time.Millisecond, 5 * time.Millisecond, 0, time.Minute},
		"server-at-once":   {reachDetector{true, false}, 0, 5000, 0, 5 * time.Millisecond, 0, 10 * time.Second},
		"chain-of-another": {turningDetector{}, 0, 5000, 10 * time.Millisecond, time.Millisecond, 0, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := startCircle(t, c.detector, engine.Policy{QueueSize: c.queueSize}, nil)
				e.acting = c.acting
				for i := range c.events {
					id := fmt.Sprintf("0 %d", i)
					e.send(id, id)
					if i%1000 < c.burst {
						time.Sleep(2 * time.Millisecond)
					} else {
						time.Sleep(c.interval)
					}
				}
				advance(2 * time.Hour)
				longest, missing := e.delay()
				t.Logf("longest delay %s", longest)
				if missing > 0 || len(e.engine.Pauses()) > 0 {
					t.Errorf("%d events have no action; pauses %v", missing, e.engine.Pauses())
				}
				if longest > c.delay {
					t.Errorf("an action came %s after its event, want at most %s", longest, c.delay)
				}
				e.stop()
			})
		})
	}
}

// TestCircle_EachState has a load of few objects: each event is acted on, although the
// trigger is paused for a time.
func TestCircle_EachState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := startCircle(t, reachDetector{true, true}, engine.Policy{}, nil)
		for i := range 2000 {
			e.send(fmt.Sprint("hot-", i%5), fmt.Sprint(i))
			time.Sleep(20 * time.Millisecond)
		}
		advance(time.Hour)
		if _, missing := e.delay(); missing > 0 {
			t.Errorf("%d events have no action", missing)
		}
		paused := false
		for _, d := range e.decisions {
			paused = paused || d.Reason == engine.ReasonLoopSuspected
		}
		if !paused {
			t.Error("the trigger was not paused")
		}
		e.stop()
	})
}

// TestCircle_AmongOthers has events by others beside a circle: they do not end its
// pause, unless one of them comes right after a probe, is taken for the next, and no
// event follows it. Then the circle is paused again.
func TestCircle_AmongOthers(t *testing.T) { testAmong(t, 120, 10*time.Second, 120) }

// TestCircle_AmongMany has a circle among so many events by others that no probe tells
// them apart: it starts again after each pause, and the pauses get longer.
func TestCircle_AmongMany(t *testing.T) { testAmong(t, 36_000, 100*time.Millisecond, 3600) }

// testAmong has a circle beside a number of events by others, one each interval, and
// fails if it has more actions than most, or if an event is lost.
func testAmong(t *testing.T, others int, interval time.Duration, most int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := startCircle(t, reachDetector{true, true}, engine.Policy{}, nil)
		circle := 0
		e.setEffect(func(id string) {
			if strings.HasPrefix(id, "other") {
				return
			}
			circle++
			e.sendAfter(5*time.Millisecond, 0, 1)
		})
		e.send("root", "root")
		for i := range others {
			advance(interval)
			e.send(fmt.Sprint("other-", i), fmt.Sprint("other-", i))
		}
		if circle > most {
			t.Errorf("%d actions of the circle, want at most %d", circle, most)
		}
		e.setEffect(nil)
		advance(engine.PauseMax + time.Hour)
		if _, missing := e.delay(); missing > 0 {
			t.Errorf("%d events are lost", missing)
		}
		e.stop()
	})
}

// TestCircle_Merges has events of one object while the trigger is paused: those that
// match are merged, and none takes a slot.
func TestCircle_Merges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		matches := filterFunc(func(_ context.Context, ev event.Event) (event.Verdict, error) {
			return event.Verdict{Match: !strings.HasPrefix(ev.ID, "no-")}, nil
		})
		e := startCircle(t, reachDetector{true, true}, engine.Policy{QueueSize: 40}, matches)
		e.setEffect(func(string) { e.sendAfter(time.Millisecond, 0, 1) })
		e.send("root", "root")
		advance(time.Minute)
		if len(e.engine.Pauses()) != 1 {
			t.Fatal("not paused")
		}
		e.setEffect(nil)
		var ids []string
		for i := range 200 {
			ids = append(ids, fmt.Sprint("hot-", i))
			e.send("hot", ids[i])
			synctest.Wait()
		}
		e.send("hot", "no-last") // does not match, and keeps the others
		advance(2 * engine.PauseMax)
		if !e.hasActed("hot-199") || len(e.engine.Pauses()) != 0 {
			t.Errorf("no action with the last state that matches, or no end")
		}
		acted := 0
		for _, id := range ids {
			if e.hasActed(id) {
				acted++
			} else {
				e.wantOutcomes(id, engine.Suppressed)
			}
		}
		e.wantOutcomes("no-last", engine.Filtered)
		if acted > 3 {
			t.Errorf("%d actions on one object", acted)
		}
		all := make([]string, 0, len(e.sent))
		for id := range e.sent {
			all = append(all, id)
		}
		e.wantDone(all...)
		e.stop()
	})
}

// TestCircle_Burst has independent updates of many objects, which arrive more often right after the
// first probe of a pause: each is acted on.
func TestCircle_Burst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := startCircle(t, reachDetector{true, true}, engine.Policy{QueueSize: 10_000}, nil)
		random, paused := rand.New(rand.NewPCG(1, 2)), time.Time{}
		for i := range 6000 {
			e.send(fmt.Sprint(random.IntN(200)), fmt.Sprint("update-", i))
			if paused.IsZero() && len(e.engine.Pauses()) > 0 {
				paused = time.Now()
			}
			interval := 10 * time.Millisecond
			if !paused.IsZero() && time.Since(paused) > engine.PauseInitial && time.Since(paused) < 2*engine.PauseInitial {
				interval = time.Millisecond
			}
			advance(interval)
		}
		if paused.IsZero() {
			t.Fatal("not paused")
		}
		advance(time.Hour)
		if _, missing := e.delay(); missing > 0 {
			t.Errorf("%d events are lost", missing)
		}
		e.stop()
	})
}

// TestCircle_Stop stops the engine while the trigger is paused: what waits is requeued.
func TestCircle_Stop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := startCircle(t, reachDetector{true, true}, engine.Policy{}, nil)
		e.setEffect(func(string) { e.sendAfter(time.Millisecond, 0, 2) })
		e.send("root", "root")
		advance(time.Minute)
		e.stop()
		if e.count() == e.actions() {
			t.Fatal("nothing waits")
		}
		held := 0
		for _, d := range e.decisions {
			if d.Outcome == engine.Queued && d.Reason == engine.ReasonLoopSuspected {
				held++
			}
		}
		if probes := e.actions() - engine.LoopLimit - 1; held < e.count()-e.actions() || held > e.count()-engine.LoopLimit || probes < 1 {
			t.Errorf("%d decisions that an event waits, for %d events and %d probes", held, e.count(), probes)
		}
		for id := range e.sent {
			if !e.hasActed(id) {
				e.wantOutcomes(id, engine.Requeued)
			}
		}
	})
}

// TestCircle_Known has a chain whose turns are known: it ends with a dead letter, and
// the trigger is not paused.
func TestCircle_Known(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := startCircle(t, turningDetector{}, engine.Policy{}, nil)
		e.setEffect(func(id string) {
			var turn int
			_, _ = fmt.Sscanf(id, "%d ", &turn)
			e.sendAfter(time.Minute, turn+1, 1) // longer than any window
		})
		e.send("0 root", "0 root")
		advance(2 * time.Hour)
		if n := e.actions(); n != engine.LoopLimit+1 || e.count() != n+1 || len(e.engine.Pauses()) != 0 {
			t.Errorf("%d actions on %d events, pauses %v", n, e.count(), e.engine.Pauses())
		}
		last := fmt.Sprintf("%d %d", engine.LoopLimit+1, engine.LoopLimit+1)
		e.wantOutcomes(last, engine.DeadLettered)
		if d := e.decisionsOf(last); len(d) != 1 || d[0].Reason != engine.ReasonLoopBroken {
			t.Errorf("decisions %+v", d)
		}
		e.stop()
	})
}

// TestCircle_OneObject has an object that changes every 5 s for an hour, as objects with
// measured values do: each state is acted on, although each follows an action.
func TestCircle_OneObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := startCircle(t, reachDetector{true, true}, engine.Policy{}, nil)
		for i := range 720 {
			e.send("gauge", fmt.Sprint(i))
			time.Sleep(5 * time.Second)
		}
		advance(time.Hour)
		longest, missing := e.delay()
		t.Logf("longest delay %s", longest)
		if missing > 0 || longest > time.Minute {
			t.Errorf("%d events have no action, the longest delay is %s", missing, longest)
		}
		e.stop()
	})
}

// TestCircle_VoidProbe deletes an object, which a controller creates anew, as that of a
// StatefulSet does in kubernetes/kubernetes#89067. Each deletion also leads to an event
// of the object that is gone by then: as a probe, it tells nothing.
func TestCircle_VoidProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := startCircle(t, reachDetector{true, true}, engine.Policy{}, nil)
		turns := 0
		e.setEffect(func(id string) {
			if strings.HasPrefix(id, "gone") {
				return
			}
			turns++
			n := turns
			time.AfterFunc(10*time.Millisecond, func() {
				e.send("web-0", fmt.Sprint("gone ", n))
				e.send("web-0", fmt.Sprint("created ", n))
			})
		})
		e.send("web-0", "root")
		advance(time.Hour)
		if turns > 30 || len(e.engine.Pauses()) != 1 {
			t.Errorf("%d turns, pauses %+v", turns, e.engine.Pauses())
		}
		e.setEffect(nil)
		advance(engine.PauseMax + time.Hour)
		if n := len(e.done); n < e.count() || len(e.engine.Pauses()) > 0 {
			t.Errorf("%d events of %d are done, pauses %+v", n, e.count(), e.engine.Pauses())
		}
		e.stop()
	})
}

// TestCircle_KnownTwice has two events in each turn of a known chain, such as the creation
// of an object and its first update by others: all of them count.
func TestCircle_KnownTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := startCircle(t, turningDetector{}, engine.Policy{}, nil)
		turns := 0
		e.setEffect(func(id string) {
			var turn int
			if _, _ = fmt.Sscanf(id, "%d ", &turn); turn < turns {
				return
			}
			turns++
			e.sendAfter(time.Second, turns, 2)
		})
		e.send("0 root", "0 root")
		advance(10 * time.Minute)
		if n := e.actions(); n > 45 || len(e.engine.Pauses()) != 1 {
			t.Errorf("%d actions, pauses %+v", n, e.engine.Pauses())
		}
		e.stop()
	})
}
