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
	"strconv"
	"strings"
	"time"
)

// terminated is scenario 9.
func terminated() scenario {
	return scenario{
		name:  "09-terminated",
		claim: "SIGTERM while 100 actions run: each finishes or is repeated after the restart, exit within the grace period",
		run: func(t *harness) {
			// A pod has 30 s by default, 10 s more than --shutdown-grace.
			const grace, slack = 10 * time.Second, 10 * time.Second
			n := t.size(40, 100)
			o := t.objects()
			finish, release := make(chan struct{}), make(chan struct{})
			r := t.startRecorderWith(func(req *http.Request, got report) bool {
				// Half of the actions end soon after SIGTERM, half after the grace period.
				wait := finish
				if i, _ := strconv.Atoi(strings.TrimPrefix(got.Key, "object-")); i%2 == 1 {
					wait = release
				}
				select {
				case <-wait:
				case <-req.Context().Done():
				}
				return true
			})
			t.forEach(n, o.create)
			i := t.install(o.cluster.Kubeconfig, "triggers:"+o.trigger("record", r, "update", fmt.Sprintf("    concurrency: %d\n    timeout: 1m\n", n)),
				"--shutdown-grace", grace.String())
			w := i.startWatching()
			o.reset()
			t.forEach(n, o.update)
			o.waitUntil(func() bool { return r.total() == n })
			if r.total() != n {
				t.Fatalf("got %d running actions, want %d", r.total(), n)
			}
			exited := make(chan time.Duration, 1)
			go func() { exited <- w.terminate() }()
			w.waitForLog("Engine stopping")
			close(finish)
			exit := <-exited
			close(release)
			second := i.startWatching()
			o.waitUntil(func() bool { return r.total() >= n+n/2 })
			missing := r.waitForReports(t, o.written())
			second.terminate()
			repeated := r.repeated()
			t.figure("%d running, %d finished, %d repeated, exit after %.1f s with a grace period of %.0f s", n, n-repeated, repeated, exit.Seconds(), grace.Seconds())
			for _, a := range r.all()[n:] {
				if i, _ := strconv.Atoi(strings.TrimPrefix(a.Key, "object-")); i%2 == 0 {
					t.Errorf("%s: repeated after it had finished", a.Key)
				}
			}
			if len(missing) > 0 || repeated != n/2 {
				t.Errorf("got %d missing and %d repeated, want 0 and %d", len(missing), repeated, n/2)
			}
			if t.long && exit > grace+slack {
				t.Errorf("got exit after %s, want at most %s", exit, grace+slack)
			}
		},
	}
}
