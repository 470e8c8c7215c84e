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
	"strings"
	"time"
)

// largeObjects is scenario 17.
func largeObjects() scenario {
	return scenario{
		name:  "17-large-objects",
		claim: "240 ConfigMaps of 900 KB wait for a rate limit in a worker with 256 MiB, which is killed once; then the history is compacted: 0 lost, in order, another trigger acts meanwhile",
		run: func(t *harness) {
			const limit = 256 // MiB
			n := t.size(30, 240)
			o, limited, free := t.objects(), t.startRecorder(), t.startRecorder()
			config := "triggers:" + o.trigger("limited", limited, "create, update", fmt.Sprintf("    rateLimit: {limit: %d, period: 1s}\n", t.size(1, 5))) +
				o.trigger("free", free, "create, update", "")
			// Otherwise the events have metadata only.
			config = strings.ReplaceAll(config, `"^object-"`, `"^object-" && context.data.data.edit != _|_`)
			i := t.install(o.cluster.Kubeconfig, config, "--shutdown-grace", "1s")
			if t.long {
				i.memoryLimit = limit
			} else {
				i.args = append(i.args, "--queue-bytes", "2Mi")
			}
			w := i.startWatching()
			t.forEach(n, func(i int) error { return o.createLarge(i, t.size(300_000, 900_000)) })
			t.forEach(n/4, o.update)
			missing := free.waitForReports(t, o.written())
			waiting := len(limited.missing(o.written()))
			if waiting == 0 {
				t.Errorf("all actions of the limited trigger have run before those of the other one")
			}
			first, err := peakMemory(w.cmd.Process.Pid)
			if err != nil {
				t.Fatalf("the worker has ended: %v", err)
			}
			unloaded := sum(w.scrape(), "kube_trigger_unloaded_events")
			w.kill()

			w = i.startWatching()
			t.waitFor("events without data", func() bool { return sum(w.scrape(), "kube_trigger_unloaded_events") > 0 })
			o.cluster.Expire(t)
			missing = append(missing, limited.waitForReports(t, o.written())...)
			second, err := peakMemory(w.cmd.Process.Pid)
			if err != nil {
				t.Fatalf("the worker has ended: %v", err)
			}
			metrics := w.scrape()
			w.terminate()
			t.checkMissing(missing, o)
			o.checkOrder(limited.firsts())
			if deadLetters := i.deadLetters(); len(deadLetters) > 0 {
				t.Errorf("got %d dead letters, such as %+v, want none", len(deadLetters), deadLetters[0].Error)
			}
			reloaded := sum(metrics, "kube_trigger_events_total", `trigger="default/limited"`, `outcome="reloaded"`)
			latest := sum(metrics, "kube_trigger_events_total", `trigger="default/limited"`, `reason="LatestState"`)
			if unloaded == 0 || reloaded == 0 {
				t.Errorf("%.0f events without data, %.0f times read again; want some of each", unloaded, reloaded)
			}
			t.figure("%d events of %d objects, %d waited when the other trigger was done, %d lost; %.0f without data, after the restart %.0f times read again, %.0f of these a later state; peak memory %.0f and %.0f MiB",
				len(o.written()), n, waiting, len(missing), unloaded, reloaded, latest, first, second)
		},
	}
}

// createLarge creates an object with a value of size bytes.
func (o *objects) createLarge(i, size int) error {
	start := time.Now()
	cm := configMap(i)
	cm.Data["large"] = strings.Repeat("x", size)
	return o.createConfigMap(cm, start)
}

// firsts returns the first report of each event, in order.
func (r *recorder) firsts() []report {
	seen := map[string]bool{}
	var out []report
	for _, got := range r.all() {
		if !seen[got.Event.ID] {
			seen[got.Event.ID] = true
			out = append(out, got)
		}
	}
	return out
}
