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

package resource_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"go.uber.org/goleak"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/dynamicclient"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// timeout is the time that a test waits for a condition.
const timeout = cluster.WaitTimeout

// pagedLists has all sources list objects in pages.
var pagedLists = flag.Bool("paged-lists", false, "list objects in pages")

// harness is a source that watches a cluster.
type harness struct {
	*recorder
	transport *fakeTransport
	factory   source.Factory
	source    source.Source
	// triggers are the subscriptions that share the source.
	triggers []source.Subscription

	t      *testing.T
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // of Run, after ended is closed
}

type option func(*resource.Options)

// triggerSpec is a trigger and the properties of its source.
type triggerSpec struct {
	trigger    source.Spec
	properties string
}

// newHarness returns a source with these properties, not running yet.
func newHarness(t *testing.T, config *rest.Config, properties string, opts ...option) *harness {
	t.Helper()
	return newSharedHarness(t, config, []triggerSpec{{properties: properties}}, opts...)
}

// newSharedHarness returns a source that several triggers share, not running yet.
func newSharedHarness(t *testing.T, config *rest.Config, specs []triggerSpec, opts ...option) *harness {
	t.Helper()
	tr := &fakeTransport{opened: make(chan string, 1000)}
	config = rest.CopyConfig(config)
	config.QPS = -1
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		tr.next = next
		return tr
	})
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { utilnet.CloseIdleConnectionsFor(client.Transport) })
	o := resource.Options{Clock: clock.RealClock{}, PagedLists: *pagedLists}
	d, err1 := discovery.NewDiscoveryClientForConfigAndClient(config, client)
	dyn, err2 := dynamicclient.New(config, client)
	meta, err3 := metadata.NewForConfigAndClient(config, client)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	o.Client, o.Metadata = dyn, meta
	o.Mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(d))
	for _, opt := range opts {
		opt(&o)
	}
	h := &harness{t: t, recorder: &recorder{}, transport: tr, factory: resource.New(o)}
	for _, a := range specs {
		var properties map[string]any
		if err := json.Unmarshal([]byte(a.properties), &properties); err != nil {
			t.Fatal(err)
		}
		s, list := h.factory.Compile(properties, a.trigger)
		if len(list) > 0 {
			t.Fatal(list)
		}
		h.triggers = append(h.triggers, s)
	}
	h.source = h.triggers[0].Open(h.triggers)
	return h
}

// accepted returns the events so far that the i-th trigger does not skip.
func (h *harness) accepted(i int) []event.Event {
	var accepted []event.Event
	events := h.received()
	for n, reason := range h.skipped(h.triggers[i])[:len(events)] {
		if reason == "" {
			accepted = append(accepted, events[n])
		}
	}
	return accepted
}

// startHarness runs the source and waits until its watch is established.
func startHarness(t *testing.T, config *rest.Config, properties string, opts ...option) *harness {
	t.Helper()
	h := newHarness(t, config, properties, opts...)
	h.run()
	h.waitForWatch()
	return h
}

// run starts Run. It is stopped at the end of the test.
func (h *harness) run() {
	log := funcr.New(func(_, args string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.lines = append(h.lines, args)
	}, funcr.Options{Verbosity: 1})
	ctx, cancel := context.WithCancel(logr.NewContext(context.Background(), log))
	h.cancel, h.ended = cancel, make(chan struct{})
	go func() {
		defer close(h.ended)
		h.err = h.source.Run(ctx, h.recorder)
	}()
	h.t.Cleanup(h.stop)
}

// stop stops Run; a second call does nothing.
func (h *harness) stop() {
	h.t.Helper()
	h.cancel()
	select {
	case <-h.ended:
		if h.err != nil {
			h.t.Errorf("Run: %v", h.err)
		}
	case <-time.After(timeout):
		h.t.Error("Run did not return when ctx ended")
	}
}

// waitForWatch waits until a watch is established, and returns its resourceVersion.
func (h *harness) waitForWatch() string {
	h.t.Helper()
	select {
	case rv := <-h.transport.opened:
		return rv
	case <-h.ended:
		h.t.Fatalf("Run returned: %v", h.err)
	case <-time.After(timeout):
		h.t.Fatal("timeout waiting for a watch")
	}
	return ""
}

// waitForError waits for Run to return an error.
func (h *harness) waitForError() error {
	h.t.Helper()
	select {
	case <-h.ended:
	case <-time.After(timeout):
		h.t.Fatal("timeout waiting for an error of Run")
	}
	err := h.err
	if err == nil {
		h.t.Fatal("Run returned nil, want an error")
	}
	h.err = nil
	return err
}

// waitForEvents waits until the recorder has n events and returns them.
func (h *harness) waitForEvents(n int) []event.Event {
	h.t.Helper()
	for deadline := time.Now().Add(timeout); len(h.received()) < n; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("got %d of %d events: %v", len(h.received()), n, brief(h.received()))
		}
	}
	return h.received()
}

// eventually waits for a condition.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(timeout); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("timeout waiting for a condition")
		}
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		// The shared cluster's clients and supervisor last as long as the process.
		if err := goleak.Find(
			goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*clientConnReadLoop).run"),
			goleak.IgnoreAnyFunction("os/exec.(*Cmd).Wait"),
		); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}
