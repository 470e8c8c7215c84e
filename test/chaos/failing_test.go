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
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

// failingAction is scenario 10.
func failingAction() scenario {
	return scenario{
		name:  "10-failing-action",
		claim: "a failing action: waits within ±20 % of the backoff, then one dead letter; other objects are not delayed",
		run: func(t *harness) {
			const retries, jitter = 4, 0.2
			backoffs := []time.Duration{300 * time.Millisecond, 600 * time.Millisecond, 1200 * time.Millisecond, 2 * time.Second}
			failing, healthy := t.size(8, 20), t.size(20, 200)
			o := t.objects()
			fails := func(key string) bool { return key < object(failing) }
			r := t.startRecorderWith(func(_ *http.Request, got report) bool { return !fails(got.Key) })
			t.forEach(failing+healthy, o.create)
			i := t.install(o.cluster.Kubeconfig, "triggers:"+o.trigger("record", r, "update",
				"    retry: {limit: 4, backoff: {initial: 300ms, max: 2s, factor: 2}}\n"))
			w := i.startWatching()
			o.reset()
			t.forEach(failing+healthy, o.update)
			o.waitUntil(func() bool { return r.total() == failing*(1+retries)+healthy })
			if missing := r.waitForReports(t, o.written()); len(missing) > 0 {
				t.Errorf("no action for %q", missing)
			}
			w.terminate()

			attempts, lastHealthy, lastRetry := map[string]int{}, time.Time{}, time.Time{}
			for _, a := range r.all() {
				attempts[a.Key]++
				if !fails(a.Key) {
					lastHealthy = a.at
				} else if attempts[a.Key] == 1+retries {
					lastRetry = a.at
				}
			}
			for key, n := range attempts {
				if want := map[bool]int{true: 1 + retries, false: 1}[fails(key)]; n != want {
					t.Errorf("%s: got %d attempts, want %d", key, n, want)
				}
			}
			// More objects fail than there are workers: if waiting retries held workers,
			// the other objects would be last.
			if !lastHealthy.Before(lastRetry) {
				t.Error("other objects waited for the retries of failing ones")
			}
			var deviation float64
			waits := w.retries()
			for _, x := range waits {
				off := x.wait.Seconds()/backoffs[x.attempt-1].Seconds() - 1
				deviation = max(deviation, off, -off)
			}
			if len(waits) != failing*retries || deviation > jitter {
				t.Errorf("got %d waits, want %d; off by up to %.0f %%, want at most %.0f %%", len(waits), failing*retries, 100*deviation, 100*jitter)
			}
			deadLetters := i.deadLetters()
			for _, l := range deadLetters {
				if l.Attempts != 1+retries || !slices.Contains(o.written(), l.Event.ID) {
					t.Errorf("dead letter of event %s after %d attempts, want a written event after %d", l.Event.ID, l.Attempts, 1+retries)
				}
			}
			if len(deadLetters) != failing {
				t.Errorf("got %d dead letters, want %d", len(deadLetters), failing)
			}
			t.figure("%d objects failed %d times each, waits off by %.0f %% at most, %d dead letters; %d others acted on meanwhile",
				failing, 1+retries, 100*deviation, len(deadLetters), healthy)
		},
	}
}

// deadLetters returns the stored dead letters.
func (i *installation) deadLetters() []store.DeadLetter {
	i.t.Helper()
	s, err := file.Open(i.t.Context(), i.store(), file.Options{})
	if err != nil {
		i.t.Fatal(err)
	}
	list, err := s.DeadLetters().List(i.t.Context())
	if err := errors.Join(err, s.Close()); err != nil {
		i.t.Fatal(err)
	}
	return list.Items
}

// retry is a failed attempt that the worker logged, and the wait until the next one.
type retry struct {
	attempt int
	wait    time.Duration
}

// retries returns the retries that the worker logged, in order.
func (w *worker) retries() []retry {
	w.t.Helper()
	var all []retry
	for line := range strings.Lines(w.output()) {
		var entry struct {
			Msg     string
			Attempt int
			RetryIn time.Duration
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "Action failed" {
			all = append(all, retry{entry.Attempt, entry.RetryIn})
		}
	}
	return all
}
