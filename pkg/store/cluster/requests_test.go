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

package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kubevela/kube-trigger/pkg/store/cluster"
	testcluster "github.com/kubevela/kube-trigger/test/cluster"
)

// countingTransport counts requests for Leases by method, and fails them while down.
type countingTransport struct {
	http.RoundTripper
	reads, writes atomic.Int64
	down          atomic.Bool
}

func (c *countingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, "/leases") {
		if c.down.Load() {
			return nil, errConnection
		}
		if r.Method == http.MethodGet {
			c.reads.Add(1)
		} else {
			c.writes.Add(1)
		}
	}
	return c.RoundTripper.RoundTrip(r)
}

func (e env) counted(o *cluster.ClientOptions) *countingTransport {
	c := &countingTransport{}
	o.Config = rest.CopyConfig(e.config)
	o.Config.Wrap(func(rt http.RoundTripper) http.RoundTripper { c.RoundTripper = rt; return c })
	return c
}

// TestElect_Unavailable: while the API server cannot be reached, the leader keeps its
// stores, and the time of the Lease does not pass for a standby.
func TestElect_Unavailable(t *testing.T) {
	e := newEnv(t)
	o := e.electionOptions("first")
	leaders := e.counted(&o.Client)
	first := e.elect(t, o)
	o = e.electionOptions("second")
	standbys := e.counted(&o.Client)
	s := startStandby(t.Context(), o)
	s.waitForPoll(t)
	leaders.down.Store(true)
	standbys.down.Store(true)
	s.step(t, time.Minute)
	s.waitForPoll(t)
	standbys.down.Store(false)
	s.step(t, 14*time.Second)
	s.waitForPoll(t)
	if holder := *e.lease(t, "worker").Spec.HolderIdentity; holder != "first" || lost(first) {
		t.Errorf("held by %q, the first lost: %t", holder, lost(first))
	}
	leaders.down.Store(false)
	renewed := e.lease(t, "worker").ResourceVersion
	e.clock.Step(5 * time.Second)
	testcluster.Eventually(t, "a renewal", func(context.Context) error {
		if e.lease(t, "worker").ResourceVersion == renewed {
			return errors.New("not renewed")
		}
		return nil
	})
	s.step(t, 2*time.Second)
	s.waitForPoll(t)
	if holder := *e.lease(t, "worker").Spec.HolderIdentity; holder != "first" {
		t.Errorf("held by %q after a renewal", holder)
	}
	must(t, first.Close())
	must(t, s.waitForElection(t).Close())
}

// TestElect_Requests: a leader writes its Lease three times in its duration, and its stores
// add nothing. A standby reads it twice a second.
func TestElect_Requests(t *testing.T) {
	e := newEnv(t)
	o := e.electionOptions("first")
	requests := e.counted(&o.Client)
	first := e.elect(t, o)
	stores := make([]*cluster.Store, 5)
	for i := range stores {
		o := e.options(first)
		o.Owner, o.Client.Config = fmt.Sprint("service-", i), e.config
		storeRequests := e.counted(&o.Client)
		s, err := cluster.Open(t.Context(), o)
		must(t, err)
		if reads, writes := storeRequests.reads.Load(), storeRequests.writes.Load(); reads != 1 || writes != 1 {
			t.Errorf("opening a store: %d reads and %d writes of Leases, want 1 and 1", reads, writes)
		}
		stores[i] = s
	}
	o = e.electionOptions("second")
	standbyRequests := e.counted(&o.Client)
	s := startStandby(t.Context(), o)
	s.waitForPoll(t)
	for n := range int64(4) {
		before := requests.writes.Load()
		e.clock.Step(cluster.DefaultLeaseDuration / 3)
		testcluster.Eventually(t, "a renewal", func(context.Context) error {
			if requests.writes.Load() == before || !e.clock.HasWaiters() {
				return errors.New("not renewed")
			}
			return nil
		})
		s.step(t, cluster.DefaultLeaseDuration/3)
		s.waitForPoll(t)
		if reads := standbyRequests.reads.Load(); reads != 10*(n+1)+1 {
			t.Fatalf("%d reads of a standby in %d s, want 2 per second", reads, 5*(n+1))
		}
	}
	// The first of each acquires the Lease.
	if reads, writes := requests.reads.Load(), requests.writes.Load(); reads != 1 || writes != 1+4 {
		t.Errorf("%d reads and %d writes of a leader in 20 s, want 1 and 5", reads, writes)
	}
	for _, s := range stores {
		must(t, s.Close())
	}
	must(t, first.Close())
	must(t, s.waitForElection(t).Close())
}
