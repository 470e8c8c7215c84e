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

// soon is how long after the API server is ready acting may take to go on.
const soon = 15 * time.Second

// outages is scenario 3.
func outages() scenario {
	return scenario{
		name:  "03-outages",
		claim: "API server, then etcd, killed and restarted 5 times under 50 events/s: 0 lost, acting again within 15 s of ready",
		run: func(t *trial) {
			objects, rounds := t.size(20, 200), t.size(1, 5)
			o, r := t.objects(), t.record()
			t.forEach(objects, o.create)
			i := t.install(o.cluster.Kubeconfig, o.config(r, "create, update"))
			w := i.watching()
			o.reset()
			stop := o.keepUpdating(objects, 50)
			var slowest time.Duration
			for range rounds {
				for _, part := range []struct{ stop, start func(testing.TB) }{
					{o.cluster.StopAPIServer, o.cluster.StartAPIServer},
					{o.cluster.StopEtcd, o.cluster.StartEtcd},
				} {
					t.sleep(time.Second)
					part.stop(t)
					t.sleep(2 * time.Second)
					part.start(t)
					slowest = max(slowest, o.actsAgain(r, objects))
				}
			}
			updates, refused := stop()
			missing := r.settle(t, o.existing())
			if len(missing) > 0 {
				t.Errorf("last states that were never acted on: %q", missing)
			}
			t.figure("%d outages, %d updates, %d refused meanwhile, %d last states lost, acting again after %.1f s at most",
				2*rounds, updates, refused, len(missing), slowest.Seconds())
			if slowest > soon {
				t.Errorf("acting again took %s", slowest)
			}
			w.terminate()
		},
	}
}

// sleep lets a random time pass, up to twice d.
func (t *trial) sleep(d time.Duration) {
	time.Sleep(time.Duration(t.random.Int64N(2 * int64(d))))
}

// keepUpdating updates objects in turn until stop is called, whether or not the
// API server takes it.
func (o *objects) keepUpdating(n, rate int) (stop func() (updates, refused int64)) {
	var updates, refused atomic.Int64
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
						refused.Add(1)
					}
				})
			}
		}
	})
	return func() (int64, int64) {
		close(ended)
		running.Wait()
		return updates.Load(), refused.Load()
	}
}

// actsAgain makes a change and returns when it was acted on, and how long that
// took from now on.
func (o *objects) actsAgain(r *recorder, i int) time.Duration {
	o.t.Helper()
	start := time.Now()
	_ = o.delete(i) // if it is there from the time before
	if err := o.create(i); err != nil {
		o.t.Fatal(err)
	}
	o.mu.Lock()
	id := o.latest[object(i)]
	o.mu.Unlock()
	for len(r.missing([]string{id})) > 0 {
		if time.Since(start) > waitTimeout {
			o.t.Fatalf("no action within %s of ready", waitTimeout)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(start)
}

// existing returns the IDs of the events that led to what the API server has,
// of objects that were written.
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
