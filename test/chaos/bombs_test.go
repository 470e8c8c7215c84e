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

package chaos

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// heavyFilter is a filter that passes validation. NAME in it is replaced by the name of
// the object for which it is expensive; the cost depends on the "size" of that
// object.
type heavyFilter struct {
	name, filter, size string
}

// endlessEvaluation exceeds the time limit.
func endlessEvaluation() heavyFilter {
	return heavyFilter{
		name: "nested comprehensions",
		filter: `import ("list", "strconv")
let N = list.Range(0, strconv.Atoi(context.data.data.size), 1)
context.data.metadata.name == NAME && context.data.data.size != _|_ && len([for a in N for b in N for c in N if a+b+c < 0 {a}]) == 0`,
		size: "3000",
	}
}

// hugeString exceeds the memory limit.
func hugeString() heavyFilter {
	return heavyFilter{
		name: "a string of 4 GB",
		filter: `import ("strconv", "strings")
let N = strconv.Atoi(context.data.data.size)
context.data.metadata.name == NAME && context.data.data.size != _|_ && strings.Contains("a"*N, "b")`,
		size: "4000000000",
	}
}

// bombs is scenario 16.
func bombs() scenario {
	return scenario{
		name:  "16-cue-bombs",
		claim: "a filter that passes validation and exhausts time or memory at an event: its trigger is quarantined and reported, other triggers continue, no event is lost",
		run: func(t *harness) {
			t.runSlow(endlessEvaluation())
			t.runFatal(hugeString())
		},
	}
}

// runSlow runs a filter that does not end in time.
func (t *harness) runSlow(f heavyFilter) {
	n := t.size(20, 200)
	o, r := t.objects(), t.startRecorder()
	t.forEach(n+1, o.create)
	i := t.install(o.cluster.Kubeconfig, "triggers:"+o.heavyConfig(f, n, r)+o.trigger("record", r, "update", ""),
		"--shutdown-grace", "2s")
	w := i.startWatching()
	o.reset()
	t.forEach(n, o.update)
	if err := o.set(n, "size", f.size); err != nil {
		t.Fatal(err)
	}
	heavyEvents := o.final()
	t.waitFor("quarantine", func() bool {
		return strings.Contains(w.output(), `"msg":"Trigger quarantined`) &&
			sum(w.scrape(), "kube_trigger_events_total", `trigger="default/bad"`, `reason="Quarantined"`) == 1
	})
	t.forEach(n, o.update)
	missing := r.waitForReports(t, o.written())
	w.terminate()
	// A worker that continues at the checkpoint must not evaluate it again.
	w = i.startWatching()
	t.forEach(n, o.update)
	missing = append(missing, r.waitForReports(t, o.written())...)
	repeated := strings.Contains(w.output(), "quarantined")
	w.terminate()
	if len(missing) > 0 {
		t.Errorf("%s: no action for events of the other trigger: %q", f.name, missing)
	}
	if repeated {
		t.Errorf("%s: evaluated again after a restart", f.name)
	}
	deadLetters := i.deadLetters()
	for _, l := range deadLetters {
		if l.Trigger.Name != "bad" || l.Reason != "Quarantined" || !slices.Contains(heavyEvents, l.Event.ID) {
			t.Errorf("%s: dead letter of trigger %s, event %s, reason %s, want default/bad, one of %q, Quarantined", f.name, l.Trigger, l.Event.ID, l.Reason, heavyEvents)
		}
	}
	if len(deadLetters) != 1 {
		t.Errorf("%s: got %d dead letters, want 1", f.name, len(deadLetters))
	}
	t.figure("%s: quarantined, %d dead letter; %d events of others, %d lost", f.name, len(deadLetters), len(o.written()), len(missing))
}

// heavyConfig returns a configuration with the trigger "bad", whose filter is heavy
// for object n.
func (o *objects) heavyConfig(f heavyFilter, n int, r *recorder) string {
	return fmt.Sprintf(`
  - name: bad
    source:
      type: resource-watcher
      properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, events: [update]}
    filter: %q
    action: {type: record, properties: {url: %q}}
`, o.namespace, strings.ReplaceAll(f.filter, "NAME", strconv.Quote(object(n))), r.URL)
}

// runFatal runs a filter that exhausts the memory: the worker is killed, as in a pod
// with a memory limit, and started again.
func (t *harness) runFatal(f heavyFilter) {
	const (
		allowance = 256 // MiB
		maxKills  = 2
	)
	n := t.size(20, 200)
	o, r := t.objects(), t.startRecorder()
	t.forEach(n+1, o.create)
	i := t.install(o.cluster.Kubeconfig, "triggers:"+o.heavyConfig(f, n, r)+o.trigger("record", r, "update", ""))
	w := i.startWatching()
	memory, err := memoryOf(w.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	limit := memory + allowance
	o.reset()
	t.forEach(n, o.update)
	if err := o.set(n, "size", f.size); err != nil {
		t.Fatal(err)
	}
	heavyEvents := o.final()
	kills := 0
	t.waitFor("quarantine", func() bool {
		if memory, err := memoryOf(w.cmd.Process.Pid); err == nil && memory > limit {
			w.kill()
			if kills++; kills > maxKills {
				t.Fatalf("%s: killed %d times, want at most %d", f.name, kills, maxKills)
			}
			w = i.start()
			t.forEach(n, o.update)
		}
		return strings.Contains(w.output(), `"reason":"Quarantined"`)
	})
	t.forEach(n, o.update)
	missing := r.waitForReports(t, o.written())
	w.terminate()
	deadLetters := i.deadLetters()
	if len(missing) > 0 {
		t.Errorf("%s: no action for events of the other trigger: %q", f.name, missing)
	}
	heavy := 0
	for _, l := range deadLetters {
		if l.Trigger.Name != "bad" || l.Reason != "Quarantined" {
			t.Errorf("%s: dead letter of trigger %s, reason %s, want default/bad, Quarantined", f.name, l.Trigger, l.Reason)
		}
		if slices.Contains(heavyEvents, l.Event.ID) {
			heavy++
		}
	}
	if kills != maxKills || heavy == 0 {
		t.Errorf("%s: killed %d times, %d dead letters for one of %q, want %d kills and at least one", f.name, kills, heavy, heavyEvents, maxKills)
	}
	t.figure("%s: killed at %.0f MiB %d times, then quarantined, %d dead letters; %d events of others, %d lost",
		f.name, limit, kills, len(deadLetters), len(o.written()), len(missing))
}
