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
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/kubevela/kube-trigger/pkg/store/cluster"
)

// faultyTransport fails writes of ConfigMaps once some have passed.
type faultyTransport struct {
	http.RoundTripper
	remaining atomic.Int64
	// deliver lets the request that fails arrive.
	deliver atomic.Bool
}

var errConnection = errors.New("cut")

func (c *faultyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet || !strings.Contains(r.URL.Path, "/configmaps") || c.remaining.Add(-1) >= 0 {
		return c.RoundTripper.RoundTrip(r)
	}
	if c.deliver.Load() {
		if resp, err := c.RoundTripper.RoundTrip(r); err == nil {
			resp.Body.Close()
		}
	}
	return nil, errConnection
}

// TestTornWrite ends a save at each of its writes: the mark is never ahead of
// the inventory, and the same save succeeds later, by this writer or another.
func TestTornWrite(t *testing.T) {
	const objects = 6_000
	for _, after := range []bool{false, true} {
		for pass := range 6 {
			t.Run(fmt.Sprintf("after %d writes, answer lost %t", pass, after), func(t *testing.T) {
				b := newEnv(t)
				ctx := t.Context()
				o := b.options("first")
				o.Config = rest.CopyConfig(b.config)
				c := &faultyTransport{}
				c.remaining.Store(1 << 30)
				o.Config.Wrap(func(rt http.RoundTripper) http.RoundTripper { c.RoundTripper = rt; return c })
				first, err := cluster.Open(ctx, o)
				must(t, err)
				must(t, first.Save(ctx, "pods", inventory(0, objects, 1)))
				// This one goes from one shard to four.
				c.deliver.Store(after)
				c.remaining.Store(int64(pass))
				change := inventory(0, 3*objects, 2)
				torn := first.Save(ctx, "pods", change)
				if torn != nil && !errors.Is(torn, errConnection) {
					t.Fatal(torn)
				}
				c.remaining.Store(1 << 30)

				other := b.open(t, "first")
				r, err := other.Load(ctx, "pods")
				must(t, err)
				switch {
				case r.Position == "2" && len(r.Inventory) == 3*objects:
				case torn != nil && r.Position == "1" && len(r.Inventory) >= objects:
				default:
					t.Fatalf("at %s with %d objects after %v", r.Position, len(r.Inventory), torn)
				}
				must(t, other.Save(ctx, "pods", change))
				r, err = other.Load(ctx, "pods")
				must(t, err)
				if r.Position != "2" || len(r.Inventory) != 3*objects {
					t.Errorf("at %s with %d objects", r.Position, len(r.Inventory))
				}
				must(t, first.Close())
				must(t, other.Close())
			})
		}
	}
}

// TestRepeatedSave: a writer whose save was torn repeats it itself.
func TestRepeatedSave(t *testing.T) {
	b := newEnv(t)
	ctx := t.Context()
	o := b.options("first")
	o.Config = rest.CopyConfig(b.config)
	c := &faultyTransport{}
	c.remaining.Store(1 << 30)
	o.Config.Wrap(func(rt http.RoundTripper) http.RoundTripper { c.RoundTripper = rt; return c })
	s, err := cluster.Open(ctx, o)
	must(t, err)
	failed := 0
	for round := 1; round <= 12; round++ {
		change := inventory(round*1000, 1000, round)
		for pass := range 100 {
			c.deliver.Store(pass%2 == 0)
			c.remaining.Store(int64(pass / 2))
			if err := s.Save(ctx, "pods", change); err == nil {
				break
			} else if !errors.Is(err, errConnection) {
				t.Fatal(err)
			}
			failed++
		}
	}
	c.remaining.Store(1 << 30)
	r, err := s.Load(ctx, "pods")
	must(t, err)
	if r.Position != "12" || len(r.Inventory) != 12_000 || failed < 12 {
		t.Errorf("at %s with %d objects after %d failures", r.Position, len(r.Inventory), failed)
	}
	must(t, s.Close())
}
