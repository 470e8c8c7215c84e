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
		claim: "SIGTERM with 100 actions running: each finished or replayed, exit within the grace period",
		run: func(t *trial) {
			// A pod gets 30 s, 10 s more than --shutdown-grace is by default.
			const grace, slack = 3 * time.Second, 10 * time.Second
			n := t.size(40, 100)
			o := t.objects()
			finish, unstick := make(chan struct{}), make(chan struct{})
			r := t.recordAs(func(req *http.Request, got report) bool {
				// Half of the actions last a little longer than the order to end,
				// half longer than the grace.
				held := finish
				if i, _ := strconv.Atoi(strings.TrimPrefix(got.Key, "object-")); i%2 == 1 {
					held = unstick
				}
				select {
				case <-held:
				case <-req.Context().Done():
				}
				return true
			})
			t.forEach(n, o.create)
			i := t.install(o.cluster.Kubeconfig, "triggers:"+o.trigger("record", r, "update", fmt.Sprintf("    concurrency: %d\n    timeout: 1m\n", n)),
				"--shutdown-grace", grace.String())
			w := i.watching()
			o.reset()
			t.forEach(n, o.update)
			o.waitUntil(func() bool { return r.total() == n })
			if r.total() != n {
				t.Fatalf("%d actions run, want %d", r.total(), n)
			}
			took := make(chan time.Duration, 1)
			go func() { took <- w.terminate() }()
			w.waitForLog("Engine stopping")
			close(finish)
			exit := <-took
			close(unstick)
			again := i.watching()
			o.waitUntil(func() bool { return r.total() >= n+n/2 })
			missing := r.settle(t, o.written())
			again.terminate()
			replayed := r.repeated()
			t.figure("%d running, %d finished, %d replayed, exit after %.1f s with a grace of %.0f s", n, n-replayed, replayed, exit.Seconds(), grace.Seconds())
			for _, a := range r.all()[n:] {
				if i, _ := strconv.Atoi(strings.TrimPrefix(a.Key, "object-")); i%2 == 0 {
					t.Errorf("%s finished, and was acted on again", a.Key)
				}
			}
			if len(missing) > 0 || replayed != n/2 {
				t.Errorf("%d missing and %d replayed, want 0 and %d", len(missing), replayed, n/2)
			}
			if exit > grace+slack {
				t.Errorf("exit took %s", exit)
			}
		},
	}
}
