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
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// hangingAction is scenario 11.
func hangingAction() scenario {
	return scenario{
		name:  "11-hanging-action",
		claim: "a hanging action: canceled at its timeout; p99 latency of other triggers changes by less than 10 %",
		run: func(t *harness) {
			const objects, rate, timeout = 20, 50, time.Second
			rounds, updates := t.size(1, 7), t.size(100, 500)
			o, r := t.objects(), t.startRecorder()
			t.forEach(objects+1, o.create)
			var hang atomic.Bool
			var mu sync.Mutex
			var durations []time.Duration // until the request was canceled
			p := t.proxy(o.cluster)
			p.inject(func(_ http.ResponseWriter, req *http.Request, _ http.Handler) bool {
				if req.Method != http.MethodPatch || !strings.HasSuffix(req.URL.Path, object(objects)) || !hang.Load() {
					return false
				}
				start := time.Now()
				_, _ = io.Copy(io.Discard, req.Body) // the server detects a closed connection only after the body
				<-req.Context().Done()
				mu.Lock()
				defer mu.Unlock()
				durations = append(durations, time.Since(start))
				return true
			})
			hanging := fmt.Sprintf(`
  - name: hanging
    source:
      type: resource-watcher
      properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [update]}
    filter: context.data.metadata.name == "object-00000"
    action:
      type: patch-resource
      properties:
        resource: {apiVersion: v1, kind: ConfigMap, name: %[2]s, namespace: %[1]s}
        patch: {data: {data: {edit: hung}}}
    timeout: %[3]s
    retry: {limit: 0}
`, o.namespace, object(objects), timeout)
			i := t.install(p.Kubeconfig, "triggers:"+hanging+o.trigger("record", r, "update", ""))
			w := i.startWatching()
			phase := func(on bool) []time.Duration {
				hang.Store(on)
				o.reset()
				t.atRate(updates, rate, func(n int) error { return o.update(n % objects) })
				if missing := r.waitForReports(t, o.written()); len(missing) > 0 {
					t.Errorf("no action for %q", missing)
				}
				o.waitUntil(func() bool {
					mu.Lock()
					defer mu.Unlock()
					return strings.Count(w.output(), `"Event dead-lettered"`) >= len(durations)
				})
				return o.latencies(r)
			}
			phase(false) // warm up
			var ratios []float64
			var without, with time.Duration
			for range rounds {
				a, b := quantile(phase(false), 0.99), quantile(phase(true), 0.99)
				without, with = without+a, with+b
				ratios = append(ratios, b.Seconds()/a.Seconds())
			}
			w.terminate()
			mu.Lock()
			defer mu.Unlock()
			if len(durations) == 0 {
				t.Fatal("no action hung")
			}
			slices.Sort(ratios)
			change := ratios[len(ratios)/2] - 1
			t.figure("%d actions hung and were canceled after %.2f to %.2f s; p99 of the others %.1f ms, otherwise %.1f ms, median change %+.0f %%",
				len(durations), slices.Min(durations).Seconds(), slices.Max(durations).Seconds(),
				with.Seconds()*1e3/float64(rounds), without.Seconds()*1e3/float64(rounds), 100*change)
			timedOut, hung := strings.Count(w.output(), fmt.Sprintf("timed out after %s", timeout)), strings.Count(w.output(), "does not stop")
			// On a busy machine an action may time out before its request.
			if timedOut < len(durations) || hung > 0 {
				t.Errorf("got %d actions that timed out and %d that did not stop, want at least %d and 0", timedOut, hung, len(durations))
			}
			if t.long && change > 0.1 {
				t.Errorf("p99 of the others changed by %+.0f %%, want at most +10 %%", 100*change)
			}
		},
	}
}

// latencies returns the time from each recorded write to its action. Writes without
// an action are left out.
func (o *objects) latencies(r *recorder) []time.Duration {
	actionTimes := map[string]time.Time{}
	for _, a := range r.all() {
		actionTimes[a.Event.ID] = a.at
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []time.Duration
	for _, id := range o.events {
		if at, ok := actionTimes[id]; ok {
			all = append(all, at.Sub(o.started[id]))
		}
	}
	return all
}

// quantile returns the q-quantile of ds, which it sorts.
func quantile(ds []time.Duration, q float64) time.Duration {
	slices.Sort(ds)
	return ds[min(int(q*float64(len(ds))), len(ds)-1)]
}
