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
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/kubevela/kube-trigger/test/program"
)

// slowAction is scenario 7.
func slowAction() scenario {
	return scenario{
		name:  "07-slow-action",
		claim: "500 events for an action that takes 1 s, 4 workers: 500 actions, in order for each object",
		run: func(t *harness) {
			objects, updates := t.size(8, 50), 10
			duration := time.Duration(t.size(100, 1000)) * time.Millisecond
			o := t.objects()
			var mu sync.Mutex
			running, maxRunning := map[string]bool{}, 0
			r := t.startRecorderWith(func(_ *http.Request, got report) bool {
				mu.Lock()
				if running[got.Key] {
					t.Errorf("two concurrent actions for %s", got.Key)
				}
				running[got.Key] = true
				maxRunning = max(maxRunning, len(running))
				mu.Unlock()
				time.Sleep(duration)
				mu.Lock()
				defer mu.Unlock()
				delete(running, got.Key)
				return true
			})
			t.forEach(objects, o.create)
			i := t.install(o.cluster.Kubeconfig, "triggers:"+o.trigger("record", r, "update", "    concurrency: 4\n"))
			w := i.startWatching()
			o.reset()
			start := time.Now()
			for range updates {
				t.forEach(objects, o.update)
			}
			missing := r.waitForReports(t, o.written())
			t.checkMissing(missing, o)
			reports := r.all()
			elapsed := reports[len(reports)-1].at.Sub(start)
			if r.repeated() > 0 {
				t.Errorf("%d repeated actions, want 0", r.repeated())
			}
			o.checkOrder(reports)
			mu.Lock()
			concurrent := maxRunning
			mu.Unlock()
			if concurrent > 4 {
				t.Errorf("got %d concurrent actions, want at most 4", concurrent)
			}
			t.figure("%d events of %d objects, %d actions in order, up to %d concurrent, %.0f s", objects*updates, objects, len(reports), concurrent, elapsed.Seconds())
			w.terminate()
		},
	}
}

// checkOrder checks that the actions for each object are in the order of its events.
func (o *objects) checkOrder(reports []report) {
	o.t.Helper()
	got, want := map[string][]string{}, map[string][]string{}
	for _, r := range reports {
		got[r.Key] = append(got[r.Key], r.Event.ID)
	}
	names := map[string]string{}
	for name, uid := range o.uids {
		names[uid] = name
	}
	for _, id := range o.written() {
		name := names[uidOf(id)]
		want[name] = append(want[name], id)
	}
	for name := range want {
		if !slices.Equal(got[name], want[name]) {
			o.t.Errorf("%s: got actions %q, want %q", name, got[name], want[name])
		}
	}
}

// burst is scenario 8.
func burst() scenario {
	return scenario{
		name:  "08-burst",
		claim: "a burst of 10,000 events: 0 lost, peak memory under 256 MiB",
		run: func(t *harness) {
			const maxPeak = 256 // MiB
			n := t.size(500, 10_000)
			o, r := t.objects(), t.startRecorder()
			i := t.install(o.cluster.Kubeconfig, o.config(r, "create"))
			// Events from the time when the worker was down arrive in one burst.
			i.startWatching().terminate()
			t.forEach(n, o.create)
			w := i.startWatching()
			missing := r.waitForReports(t, o.written())
			t.checkMissing(missing, o)
			peak, err := peakMemory(w.cmd.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			t.figure("%d events, %d lost, peak %.0f MiB", n, len(missing), peak)
			if t.long && !program.RaceEnabled() && peak > maxPeak {
				t.Errorf("peak memory %.0f MiB, want at most %d MiB", peak, maxPeak)
			}
			w.terminate()
		},
	}
}
