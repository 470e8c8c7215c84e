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

package app

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/engine"
)

// verdicts counts decisions.
type verdicts struct {
	mu sync.Mutex
	// counts has the final decisions and the matches, by trigger and object.
	counts map[string]int
	// done counts the events that each trigger is done with, and waiting those in progress.
	done, waiting map[string]int
}

func newVerdicts() *verdicts {
	return &verdicts{counts: map[string]int{}, done: map[string]int{}, waiting: map[string]int{}}
}

// Observe implements engine.Observer.
func (v *verdicts) Observe(d engine.Decision) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch d.Outcome {
	case engine.Queued:
		if d.Reason != engine.ReasonRateLimited { // it has been queued before
			v.waiting[d.Trigger.String()]++
		}
		return
	case engine.Reloaded, engine.Requeued:
		return
	case engine.Matched:
	default:
		v.done[d.Trigger.String()]++
		if d.Outcome != engine.Suppressed || d.Reason == engine.ReasonDebounced || d.Reason == engine.ReasonOwnWrite {
			v.waiting[d.Trigger.String()]--
		}
	}
	v.counts[fmt.Sprintf("%s %s %s: %s %s %s", d.Trigger, d.Event.Cluster, d.Event.Key, d.Outcome, d.Reason, d.Path)]++
}

func (*verdicts) ObserveSource(engine.SourceFailure)        {}
func (*verdicts) ObserveDeadLetter(engine.DeadLetterResult) {}

// idle reports whether no event is in progress.
func (v *verdicts) idle() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, n := range v.waiting {
		if n > 0 {
			return false
		}
	}
	return true
}

// allDone reports whether each trigger is done with as many events.
func (v *verdicts) allDone(events map[string]int) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for trigger, n := range events {
		if v.done[trigger] < n {
			return false
		}
	}
	return true
}

// simulated has the source, the filter and the policy of each of twenty triggers.
func simulated(namespace string) (config string) {
	var b strings.Builder
	b.WriteString("triggers:\n")
	n := 0
	add := func(labels, filter, more string) {
		n++
		fmt.Fprintf(&b, "- name: t%02d\n  source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s%s}}\n  action: {type: log}\n", n, namespace, labels)
		if filter != "" {
			fmt.Fprintf(&b, "  filter: %q\n", filter)
		}
		b.WriteString(more)
	}
	const slow, fast = ", matchingLabels: {pace: slow}", ", matchingLabels: {pace: fast}"
	add(fast, "", "")
	add(fast, `context.data.data.parity == "even"`, "")
	add(fast, `context.data.data.absent == "x"`, "")
	add(fast, `context.data.data.v != context.old.data.v`, "")
	add(fast, `context.data.data.parity != context.old.data.parity`, "")
	add(fast, "", "  onChange: [data.hundred]\n")
	add(fast, `context.data.data.v =~ "7$"`, "  onChange: [data.parity]\n")
	add(fast, "context: data: metadata: name: =~\"^fast-1\"", "")
	add(fast, "context: event: type: \"create\"", "")
	add(fast, `context.data.metadata.name == "fast-3"`, "  rateLimit: {limit: 500, period: 1s}\n")
	add(fast+", events: [delete]", "", "")
	add(fast+", events: [create, delete]", "", "")
	add(fast, `context.data.data.hundred != context.old.data.hundred`, "  rateLimit: {limit: 200, period: 1s}\n")
	add(", matchingLabels: {flag: \"1\"}", "", "")
	add(", matchingLabels: {flag: \"1\"}", `context.data.data.v != context.old.data.v`, "")
	add("", `context.data.metadata.labels.pace == "slow"`, "")
	add(fast, "", "  suspend: true\n")
	add(slow, "", "  debounce: 4s\n")
	add(slow, `context.data.data.parity == "even"`, "  debounce: 4s\n")
	add(slow, `context.data.data.v != context.old.data.v`, "  debounce: 4s\n  group: {by: context.data.metadata.namespace}\n")
	return b.String()
}

// TestSimulate_SameAsRun compares the decisions of a run on the API server with those of a
// simulation with its journal: of 20 triggers about 10,000 changes.
func TestSimulate_SameAsRun(t *testing.T) {
	const fast, slow, waves = 45, 5, 4
	changes := 10_000
	if testing.Short() {
		changes = 1000
	}
	e := newEnv(t)
	o := e.options(t, simulated(e.namespace))
	o.Journal = filepath.Join(t.TempDir(), "journal")
	live := newVerdicts()
	o.observers = []engine.Observer{live}
	p := startRun(t, o)
	eventually(t, "all sources watch", func() bool {
		return len(p.linesWhere(func(l map[string]any) bool { return l["msg"] == "watching" })) >= 4
	})

	count, flagEvents, flagged := 0, 0, map[string]bool{}
	update := func(name, pace string) {
		count++
		parity, flag := "even", "null"
		if count/7%2 == 1 {
			parity = "odd"
		}
		if count/11%2 == 1 {
			flag = `"1"`
		}
		if was := flagged[name]; was || flag != "null" {
			flagEvents++
		}
		flagged[name] = flag != "null"
		patch := fmt.Sprintf(`{"metadata":{"labels":{"pace":%q,"flag":%s}},"data":{"v":"%d","parity":%q,"hundred":"%d"}}`, pace, flag, count, parity, count/100)
		if _, err := e.configMaps.Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range fast {
		e.createConfigMap(t, fmt.Sprint("fast-", i))
	}
	for i := range slow {
		e.createConfigMap(t, fmt.Sprint("slow-", i))
	}
	slowEvents := 0
	for range waves {
		for i := range 20 * slow { // within the window of the triggers that debounce
			update(fmt.Sprint("slow-", i%slow), "slow")
			slowEvents++
		}
		for i := range changes/waves - 20*slow {
			update(fmt.Sprint("fast-", i%fast), "fast")
		}
		eventually(t, "all windows are closed", func() bool {
			return live.allDone(map[string]int{
				"default/t01": count - slowEvents, "default/t18": slowEvents,
			})
		})
	}
	for i := range fast {
		if flagged[fmt.Sprint("fast-", i)] {
			flagEvents++
		}
		if err := e.configMaps.Delete(t.Context(), fmt.Sprint("fast-", i), metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all triggers are done", func() bool {
		return live.idle() && live.allDone(map[string]int{
			"default/t01": count - slowEvents + fast, "default/t14": flagEvents, "default/t16": fast + slow + count + fast,
		})
	})
	p.stop(t)

	again := newVerdicts()
	report, err := Simulate(context.Background(), SimulateOptions{Config: o.Config, Journal: o.Journal, observe: again.Observe})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Triggers) != 20 || report.Records < changes {
		t.Errorf("%d triggers, %d records", len(report.Triggers), report.Records)
	}
	differences := 0
	for _, key := range keysOf(live.counts, again.counts) {
		if live.counts[key] != again.counts[key] {
			if differences++; differences < 20 {
				t.Errorf("%s: %d live, %d simulated", key, live.counts[key], again.counts[key])
			}
		}
	}
	actions := 0
	for _, tr := range report.Triggers {
		actions += tr.Actions
	}
	t.Logf("%d records, %d kinds of decisions, %d actions, %d differences", report.Records, len(live.counts), actions, differences)
}

// keysOf returns the keys of both.
func keysOf(a, b map[string]int) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	keys := make([]string, 0, len(all))
	for key := range all {
		keys = append(keys, key)
	}
	return keys
}
