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
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

// timeout is how long a test waits for what has to come.
const timeout = 30 * time.Second

// harness is a source that runs against a cluster.
type harness struct {
	*recorder
	transport *fakeTransport
	compile   source.Compiler
	source    source.Source
	// triggers are what share the source.
	triggers []source.Subscription

	t      *testing.T
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // of Run, once it has ended
}

type option func(*resource.Options)

// triggerSpec is a trigger and its source's properties.
type triggerSpec struct {
	trigger    source.Spec
	properties string
}

// newHarness returns the source for properties, not running yet.
func newHarness(t *testing.T, config *rest.Config, properties string, opts ...option) *harness {
	t.Helper()
	return newSharedHarness(t, config, []triggerSpec{{properties: properties}}, opts...)
}

// newSharedHarness returns the source that several triggers share, not running yet.
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
	o := resource.Options{Clock: clock.RealClock{}}
	d, err1 := discovery.NewDiscoveryClientForConfigAndClient(config, client)
	dyn, err2 := dynamic.NewForConfigAndClient(config, client)
	meta, err3 := metadata.NewForConfigAndClient(config, client)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	o.Client, o.Metadata = dyn, meta
	o.Mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(d))
	for _, opt := range opts {
		opt(&o)
	}
	r := &harness{t: t, recorder: &recorder{}, transport: tr, compile: resource.New(o)}
	for _, a := range specs {
		var given map[string]any
		if err := json.Unmarshal([]byte(a.properties), &given); err != nil {
			t.Fatal(err)
		}
		s, problems := r.compile(given, a.trigger)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		r.triggers = append(r.triggers, s)
	}
	r.source = r.triggers[0].Open(r.triggers)
	return r
}

// accepted returns the events so far that the i-th trigger takes.
func (h *harness) accepted(i int) []event.Event {
	var accepted []event.Event
	for _, ev := range h.received() {
		if h.triggers[i].Skip(ev) == "" {
			accepted = append(accepted, ev)
		}
	}
	return accepted
}

// startHarness runs the source and waits until its watch is established.
func startHarness(t *testing.T, config *rest.Config, properties string, opts ...option) *harness {
	t.Helper()
	r := newHarness(t, config, properties, opts...)
	r.run()
	r.waitForWatch()
	return r
}

// run starts a Run that ends with the test at the latest.
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

// stop ends the Run; a second stop does nothing.
func (h *harness) stop() {
	h.t.Helper()
	h.cancel()
	select {
	case <-h.ended:
		if h.err != nil {
			h.t.Errorf("run: %v", h.err)
		}
	case <-time.After(timeout):
		h.t.Error("run does not end with its context")
	}
}

// waitForWatch waits for a watch and returns the resourceVersion it goes on from.
func (h *harness) waitForWatch() string {
	h.t.Helper()
	select {
	case rv := <-h.transport.opened:
		return rv
	case <-h.ended:
		h.t.Fatalf("run ended: %v", h.err)
	case <-time.After(timeout):
		h.t.Fatal("no watch was established")
	}
	return ""
}

// waitForError waits for Run to return an error.
func (h *harness) waitForError() error {
	h.t.Helper()
	select {
	case <-h.ended:
	case <-time.After(timeout):
		h.t.Fatal("run did not fail")
	}
	err := h.err
	if err == nil {
		h.t.Fatal("run ended without an error")
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

// eventually waits until a condition holds.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(timeout); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("what was waited for did not come")
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
