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
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxRecovery is the maximum time from when the API server is ready to the next action.
const maxRecovery = 15 * time.Second

// outages is scenario 3.
func outages() scenario {
	return scenario{
		name:  "03-outages",
		claim: "API server, then etcd, killed and restarted 5 times under 50 events/s: 0 lost, the next action within 15 s after the API server is ready",
		run: func(t *harness) {
			objects, rounds := t.size(20, 200), t.size(1, 5)
			o, r := t.objects(), t.startRecorder()
			t.forEach(objects, o.create)
			i := t.install(o.cluster.Kubeconfig, o.config(r, "create, update"))
			w := i.startWatching()
			o.reset()
			stop := o.keepUpdating(objects, 50)
			var slowest time.Duration
			for range rounds {
				for _, component := range []struct{ stop, start func(testing.TB) }{
					{o.cluster.StopAPIServer, o.cluster.StartAPIServer},
					{o.cluster.StopEtcd, o.cluster.StartEtcd},
				} {
					t.randomSleep(time.Second)
					component.stop(t)
					t.randomSleep(2 * time.Second)
					component.start(t)
					slowest = max(slowest, o.recoveryTime(r, objects))
				}
			}
			updates, failed := stop()
			missing := r.waitForReports(t, o.existing())
			if len(missing) > 0 {
				t.Errorf("no action for the last events %q", missing)
			}
			t.figure("%d outages, %d updates, %d failed meanwhile, %d last states lost, next action within %.1f s",
				2*rounds, updates, failed, len(missing), slowest.Seconds())
			if t.long && slowest > maxRecovery {
				t.Errorf("got next action after %s, want at most %s", slowest, maxRecovery)
			}
			w.terminate()
		},
	}
}

// randomSleep sleeps for a random time of up to twice d.
func (t *harness) randomSleep(d time.Duration) {
	time.Sleep(time.Duration(t.random.Int64N(2 * int64(d))))
}

// keepUpdating updates objects in turn until stop is called, and ignores errors. stop
// returns the numbers of updates that succeeded and failed.
func (o *objects) keepUpdating(n, rate int) (stop func() (updates, failed int64)) {
	var updates, failed atomic.Int64
	var running sync.WaitGroup
	ended := make(chan struct{})
	running.Go(func() {
		ticker := time.NewTicker(time.Second / time.Duration(rate))
		defer ticker.Stop()
		for i := 0; ; i++ {
			select {
			case <-ended:
				return
			case <-ticker.C:
				running.Go(func() {
					if o.update(i%n) == nil {
						updates.Add(1)
					} else {
						failed.Add(1)
					}
				})
			}
		}
	})
	return func() (int64, int64) {
		close(ended)
		running.Wait()
		return updates.Load(), failed.Load()
	}
}

// recoveryTime creates object i and returns the time until its action.
func (o *objects) recoveryTime(r *recorder, i int) time.Duration {
	o.t.Helper()
	start := time.Now()
	_ = o.delete(i) // it may exist from an earlier call
	if err := o.create(i); err != nil {
		o.t.Fatal(err)
	}
	o.mu.Lock()
	id := o.latest[object(i)]
	o.mu.Unlock()
	for len(r.missing([]string{id})) > 0 {
		if time.Since(start) > waitTimeout {
			o.t.Fatalf("wait for the action of %s: timed out after %s", object(i), waitTimeout)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(start)
}

// existing returns the IDs of the last events of the written objects that exist.
func (o *objects) existing() []string {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), waitTimeout)
	defer cancel()
	list, err := o.client.List(ctx, metav1.ListOptions{})
	if err != nil {
		o.t.Fatal(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var ids []string
	for _, cm := range list.Items {
		if _, written := o.latest[cm.Name]; written {
			ids = append(ids, eventID(&cm))
		}
	}
	return ids
}
