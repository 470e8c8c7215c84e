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
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// missedWhileDown is scenario 5.
func missedWhileDown() scenario {
	return scenario{
		name:  "05-missed-while-down",
		claim: "100 objects created, 100 updated and 100 deleted while the worker is down, history compacted: exactly 300 actions",
		run: func(t *harness) {
			n := t.size(30, 100)
			o, r := t.objects(), t.startRecorder()
			t.forEach(3*n, o.create)
			i := t.install(o.cluster.Kubeconfig, o.config(r, "create, update, delete"))
			w := i.startWatching()
			o.reset()
			t.forEach(2*n, o.update) // some are updated again or deleted below
			if missing := r.waitForReports(t, o.written()); len(missing) > 0 {
				t.Fatalf("no action for %q", missing)
			}
			w.terminate()
			before := len(r.all())
			o.reset()
			t.forEach(n, func(i int) error { return o.create(3*n + i) })
			t.forEach(n, o.update)
			deleted := o.uidsOf(n, n)
			t.forEach(n, func(i int) error { return o.delete(n + i) })
			o.cluster.Expire(t)

			w = i.startWatching()
			missing := append(r.waitForReports(t, o.written()), r.waitForDeletes(t, deleted)...)
			if len(missing) > 0 {
				t.Errorf("no action for %q", missing)
			}
			w.terminate()
			got := map[string]int{}
			for _, a := range r.all()[before:] {
				got[a.Event.Type]++
			}
			t.figure("actions for %d created, %d updated and %d deleted of %d objects", got["create"], got["update"], got["delete"], 4*n)
			for _, kind := range []string{"create", "update", "delete"} {
				if got[kind] != n {
					t.Errorf("%s: got %d actions, want %d", kind, got[kind], n)
				}
			}
		},
	}
}

// uidsOf returns the UIDs of n objects, starting with the first.
func (o *objects) uidsOf(first, n int) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var uids []string
	for i := range n {
		uids = append(uids, o.uids[object(first+i)])
	}
	return uids
}

// listedAgain is scenario 12.
func listedAgain() scenario {
	return scenario{
		name:  "12-listed-again",
		claim: "100 unchanged objects, listed 100 times: 0 actions",
		run: func(t *harness) {
			objects, lists := t.size(30, 100), t.size(20, 100)
			o, r := t.objects(), t.startRecorder()
			t.forEach(objects, o.create)
			p := t.proxy(o.cluster)
			i := t.install(p.Kubeconfig, o.config(r, "create, update, delete"))
			w := i.startWatching()
			// Watches that end are followed by expired ones: a worker whose watches only
			// fail backs off.
			var listed, watched atomic.Int64
			p.inject(func(w http.ResponseWriter, req *http.Request, _ http.Handler) bool {
				query := req.URL.Query()
				if !strings.HasSuffix(req.URL.Path, "/configmaps") || req.Method != http.MethodGet {
					return false
				}
				switch {
				case query.Get("watch") != "" && watched.Add(1)%2 == 1:
					writeStatus(w, http.StatusGone, "Expired")
				case query.Get("watch") != "":
					w.Header().Set("Content-Type", "application/json")
					fmt.Fprint(w, bookmark(query.Get("resourceVersion")))
				default:
					if query.Get("limit") != "1" {
						listed.Add(1)
					}
					return false
				}
				return true
			})
			// The open stream does not pass the injected fault. It ends with the API server.
			o.cluster.StopAPIServer(t)
			o.cluster.StartAPIServer(t)
			for deadline := time.Now().Add(waitTimeout); listed.Load() < int64(lists); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("wait for %d lists: got %d after %s:\n%s", lists, listed.Load(), waitTimeout, w.output())
				}
			}
			p.inject(nil)
			actions := r.total()
			t.figure("%d lists of %d objects, %d actions", listed.Load(), objects, actions)
			if actions > 0 {
				t.Errorf("got actions %v, want none", r.all())
			}
			o.reset()
			t.forEach(1, o.update) // the watch still works
			if missing := r.waitForReports(t, o.written()); len(missing) > 0 || r.total() != 1 {
				t.Errorf("after one update: got %d actions and %d missing, want 1 and 0", r.total(), len(missing))
			}
			w.terminate()
		},
	}
}

// restored is scenario 6.
func restored() scenario {
	return scenario{
		name:  "06-etcd-restored",
		claim: "etcd restored from an older snapshot, while the worker is up or down: one action for each difference, later events are handled",
		run: func(t *harness) {
			n := t.size(10, 100)
			o, r := t.objects(), t.startRecorder()
			t.forEach(2*n, o.create)
			i := t.install(o.cluster.Kubeconfig, o.config(r, "create, update, delete"))
			w := i.startWatching()
			for _, up := range []bool{true, false} {
				o.reset()
				t.forEach(n, o.update) // the snapshot has this state
				o.cluster.Snapshot(t, "older")
				reverted := o.final()
				t.forEach(n, o.update)
				created := len(o.written())
				t.forEach(n, func(i int) error { return o.create(2*n + i) })
				lost := o.written()[created:]
				t.forEach(n, func(i int) error { return o.delete(n + i) })
				if missing := r.waitForReports(t, o.written()); len(missing) > 0 {
					t.Fatalf("before the restore: no action for %q", missing)
				}
				if !up {
					w.terminate()
				}
				before := r.total()
				o.cluster.Restore(t, "older")
				if !up {
					w = i.start()
				}
				w.waitForLog("API server state is older than the resume point")
				// Updates are reverted, created objects are gone, deleted objects are back.
				o.waitUntil(func() bool { return r.total() >= before+3*n })
				o.checkDiff(r, before, reverted, lost, n)
				o.reset()
				t.forEach(n, o.update)
				if missing := r.waitForReports(t, o.written()); len(missing) > 0 {
					t.Errorf("after the restore: no action for %q", missing)
				}
			}
			t.figure("2 restores; each reverted %d updates, %d creates and %d deletes, one action for each, and for later events", n, n, n)
			w.terminate()
		},
	}
}

// checkDiff checks that the actions from index first on are n updates to reverted
// states, n deletes of lost objects, and n creates.
func (o *objects) checkDiff(r *recorder, first int, reverted, lost []string, n int) {
	o.t.Helper()
	got := map[string]int{}
	for _, a := range r.all()[first:] {
		uid, _, _ := strings.Cut(a.Event.ID, "@")
		wasLost := slices.ContainsFunc(lost, func(id string) bool { return strings.HasPrefix(id, uid+"@") })
		switch {
		case a.Event.Type == "update" && slices.Contains(reverted, a.Event.ID), a.Event.Type == "delete" && wasLost, a.Event.Type == "create" && !wasLost:
			got[a.Event.Type]++
		default:
			o.t.Errorf("unexpected action: %+v", a)
		}
	}
	for _, kind := range []string{"create", "update", "delete"} {
		if got[kind] != n {
			o.t.Errorf("after the restore: %s: got %d actions, want %d", kind, got[kind], n)
		}
	}
}

// waitUntil waits until done returns true, at most waitTimeout.
func (o *objects) waitUntil(done func() bool) {
	o.t.Helper()
	for deadline := time.Now().Add(waitTimeout); !done() && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
}
