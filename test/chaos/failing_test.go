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
		claim: "an action that fails: backoff within ±20 % of the policy, then exactly one dead letter; other objects unaffected",
		run: func(t *trial) {
			const retries, jitter = 4, 0.2
			policy := []time.Duration{300 * time.Millisecond, 600 * time.Millisecond, 1200 * time.Millisecond, 2 * time.Second}
			failing, fine := t.size(8, 20), t.size(20, 200)
			o := t.objects()
			bad := func(key string) bool { return key < object(failing) }
			r := t.recordAs(func(_ *http.Request, got report) bool { return !bad(got.Key) })
			t.forEach(failing+fine, o.create)
			i := t.install(o.cluster.Kubeconfig, "triggers:"+o.trigger("record", r, "update",
				"    retry: {limit: 4, backoff: {initial: 300ms, max: 2s, factor: 2}}\n"))
			w := i.watching()
			o.reset()
			t.forEach(failing+fine, o.update)
			o.waitUntil(func() bool { return r.total() == failing*(1+retries)+fine })
			if missing := r.settle(t, o.written()); len(missing) > 0 {
				t.Errorf("never acted on: %q", missing)
			}
			w.terminate()

			attempts, lastFine, lastRetry := map[string]int{}, time.Time{}, time.Time{}
			for _, a := range r.all() {
				attempts[a.Key]++
				if !bad(a.Key) {
					lastFine = a.at
				} else if attempts[a.Key] == 1+retries {
					lastRetry = a.at
				}
			}
			for key, n := range attempts {
				if want := map[bool]int{true: 1 + retries, false: 1}[bad(key)]; n != want {
					t.Errorf("%s: %d attempts, want %d", key, n, want)
				}
			}
			// There are more that fail than workers: if a wait held one, the others
			// would come last.
			if !lastFine.Before(lastRetry) {
				t.Error("others waited for what failed")
			}
			var worst float64
			waits := w.retries()
			for _, x := range waits {
				off := x.wait.Seconds()/policy[x.attempt-1].Seconds() - 1
				worst = max(worst, off, -off)
			}
			if len(waits) != failing*retries || worst > jitter {
				t.Errorf("%d waits, want %d; off by %.0f %% at most, want %.0f %%", len(waits), failing*retries, 100*worst, 100*jitter)
			}
			letters := i.deadLetters()
			for _, l := range letters {
				if l.Attempts != 1+retries || !slices.Contains(o.written(), l.Event.ID) {
					t.Errorf("dead letter of event %s after %d attempts", l.Event.ID, l.Attempts)
				}
			}
			if len(letters) != failing {
				t.Errorf("%d dead letters, want %d", len(letters), failing)
			}
			t.figure("%d objects failed %d times each, waits off by %.0f %% at most, %d dead letters; %d others acted on meanwhile",
				failing, 1+retries, 100*worst, len(letters), fine)
		},
	}
}

// deadLetters returns the dead letters that are stored.
func (i *installation) deadLetters() []store.DeadLetter {
	i.t.Helper()
	s, err := file.Open(i.t.Context(), i.store(), file.Options{})
	if err != nil {
		i.t.Fatal(err)
	}
	list, err := s.ListDeadLetters(i.t.Context())
	if err := errors.Join(err, s.Close()); err != nil {
		i.t.Fatal(err)
	}
	return list.Items
}

// retry is a wait before an attempt, as the worker announced it.
type retry struct {
	attempt int
	wait    time.Duration
}

func (w *worker) retries() []retry {
	w.t.Helper()
	var all []retry
	for line := range strings.Lines(w.output()) {
		var said struct {
			Msg     string
			Attempt int
			RetryIn time.Duration
		}
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "Action failed" {
			all = append(all, retry{said.Attempt, said.RetryIn})
		}
	}
	return all
}
