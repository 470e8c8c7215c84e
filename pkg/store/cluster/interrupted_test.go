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

// faultyTransport fails writes of TriggerCheckpoints once no write remains.
type faultyTransport struct {
	http.RoundTripper
	// remaining is the number of writes that succeed.
	remaining atomic.Int64
	// deliver sends failing writes to the server, but loses the responses.
	deliver atomic.Bool
}

var errConnection = errors.New("connection lost")

func (f *faultyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet || !strings.Contains(r.URL.Path, "/triggercheckpoints") || f.remaining.Add(-1) >= 0 {
		return f.RoundTripper.RoundTrip(r)
	}
	if f.deliver.Load() {
		if resp, err := f.RoundTripper.RoundTrip(r); err == nil {
			resp.Body.Close()
		}
	}
	return nil, errConnection
}

// openFaulty opens the store as the process "first". Its writes succeed until the
// transport is changed.
func (e env) openFaulty(t *testing.T) (*faultyTransport, process) {
	t.Helper()
	transport := &faultyTransport{}
	transport.remaining.Store(1 << 30)
	config := rest.CopyConfig(e.config)
	config.Wrap(func(rt http.RoundTripper) http.RoundTripper { transport.RoundTripper = rt; return transport })
	return transport, e.open(t, "first", func(o *cluster.Options) { o.Client.Config = config })
}

// TestSave_Interrupted interrupts a save at each of its writes. The watermark is never
// ahead of the inventory, and another writer can repeat the save.
func TestSave_Interrupted(t *testing.T) {
	const objects = 6_000
	for _, deliver := range []bool{false, true} {
		for writes := range 6 {
			t.Run(fmt.Sprintf("writes-%d-delivered-%t", writes, deliver), func(t *testing.T) {
				e := newEnv(t)
				ctx := t.Context()
				transport, first := e.openFaulty(t)
				must(t, first.Checkpoints().Save(ctx, "pods", inventory(0, objects, 1)))
				// The next save splits one shard into four.
				transport.deliver.Store(deliver)
				transport.remaining.Store(int64(writes))
				change := inventory(0, 3*objects, 2)
				interrupted := first.Checkpoints().Save(ctx, "pods", change)
				if interrupted != nil && !errors.Is(interrupted, errConnection) {
					t.Fatal(interrupted)
				}
				transport.remaining.Store(1 << 30)

				other := e.open(t, "first")
				c, err := other.Checkpoints().Load(ctx, "pods")
				must(t, err)
				switch {
				case c.Cursor == "2" && len(c.Values) == 3*objects:
				case interrupted != nil && c.Cursor == "1" && len(c.Values) >= objects:
				default:
					t.Fatalf("position %s with %d objects after %v", c.Cursor, len(c.Values), interrupted)
				}
				must(t, other.Checkpoints().Save(ctx, "pods", change))
				c, err = other.Checkpoints().Load(ctx, "pods")
				must(t, err)
				if c.Cursor != "2" || len(c.Values) != 3*objects {
					t.Errorf("position %s with %d objects", c.Cursor, len(c.Values))
				}
				must(t, first.Close())
				must(t, other.Close())
			})
		}
	}
}

// TestSave_Retry: a writer repeats its own interrupted saves.
func TestSave_Retry(t *testing.T) {
	e := newEnv(t)
	ctx := t.Context()
	transport, s := e.openFaulty(t)
	failed := 0
	for round := 1; round <= 12; round++ {
		change := inventory(round*1000, 1000, round)
		for writes := range 100 {
			transport.deliver.Store(writes%2 == 0)
			transport.remaining.Store(int64(writes / 2))
			if err := s.Checkpoints().Save(ctx, "pods", change); err == nil {
				break
			} else if !errors.Is(err, errConnection) {
				t.Fatal(err)
			}
			failed++
		}
	}
	transport.remaining.Store(1 << 30)
	c, err := s.Checkpoints().Load(ctx, "pods")
	must(t, err)
	if c.Cursor != "12" || len(c.Values) != 12_000 || failed < 12 {
		t.Errorf("position %s with %d objects after %d failures", c.Cursor, len(c.Values), failed)
	}
	must(t, s.Close())
}

// TestSave_Atomic interrupts small saves that empty the head into the shards. The cursor
// and the values of each are stored together.
func TestSave_Atomic(t *testing.T) {
	e := newEnv(t)
	ctx := t.Context()
	transport, s := e.openFaulty(t)
	last, failed := 0, 0
	for version := 1; version <= 60; version++ {
		change := inventory(version*200, 200, version)
		change.Values["version"] = []byte(*change.Cursor)
		// The head takes one write. Its overflow takes more.
		transport.remaining.Store(1)
		interrupted := s.Checkpoints().Save(ctx, "pods", change)
		transport.remaining.Store(1 << 30)
		c, err := s.Checkpoints().Load(ctx, "pods")
		must(t, err)
		if c.Cursor != string(c.Values["version"]) {
			t.Fatalf("cursor %s with values of %s after %v", c.Cursor, c.Values["version"], interrupted)
		}
		if interrupted != nil {
			failed++
			must(t, s.Checkpoints().Save(ctx, "pods", change))
		}
		last = version
	}
	c, err := s.Checkpoints().Load(ctx, "pods")
	must(t, err)
	if c.Cursor != fmt.Sprint(last) || len(c.Values) != 200*last+1 || failed == 0 {
		t.Errorf("cursor %s with %d values after %d failures", c.Cursor, len(c.Values), failed)
	}
	must(t, s.Close())
}
