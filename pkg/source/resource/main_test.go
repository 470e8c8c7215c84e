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

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

// running is a source that runs against a cluster.
type running struct {
	*recorder
	wire    *wire
	compile source.Compiler
	source  source.Source
	// triggers are what share the source.
	triggers []source.Subscription

	t      *testing.T
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // of Run, once it has ended
}

type option func(*resource.Options)

// asked is a trigger and its source's properties.
type asked struct {
	trigger    source.Trigger
	properties string
}

// open returns the source for properties, not running yet.
func open(t *testing.T, config *rest.Config, properties string, opts ...option) *running {
	t.Helper()
	return openAll(t, config, []asked{{properties: properties}}, opts...)
}

// openAll returns the source that several triggers share, not running yet.
func openAll(t *testing.T, config *rest.Config, asks []asked, opts ...option) *running {
	t.Helper()
	w := &wire{opened: make(chan string, 1000)}
	config = rest.CopyConfig(config)
	config.QPS = -1
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		w.next = next
		return w
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
	r := &running{t: t, recorder: &recorder{}, wire: w, compile: resource.New(o)}
	for _, a := range asks {
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

// taken returns the events so far that the i-th trigger takes.
func (r *running) taken(i int) []event.Event {
	var taken []event.Event
	for _, ev := range r.got() {
		if r.triggers[i].Wants(ev) == "" {
			taken = append(taken, ev)
		}
	}
	return taken
}

// start runs the source and waits until its watch is established.
func start(t *testing.T, config *rest.Config, properties string, opts ...option) *running {
	t.Helper()
	r := open(t, config, properties, opts...)
	r.run()
	r.established()
	return r
}

// run starts a Run that ends with the test at the latest.
func (r *running) run() {
	log := funcr.New(func(_, args string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.lines = append(r.lines, args)
	}, funcr.Options{Verbosity: 1})
	ctx, cancel := context.WithCancel(logr.NewContext(context.Background(), log))
	r.cancel, r.ended = cancel, make(chan struct{})
	go func() {
		defer close(r.ended)
		r.err = r.source.Run(ctx, r.recorder)
	}()
	r.t.Cleanup(r.stop)
}

// stop ends the Run; a second stop does nothing.
func (r *running) stop() {
	r.t.Helper()
	r.cancel()
	select {
	case <-r.ended:
		if r.err != nil {
			r.t.Errorf("run: %v", r.err)
		}
	case <-time.After(patience):
		r.t.Error("run does not end with its context")
	}
}

// established waits for a watch and returns the resourceVersion it goes on from.
func (r *running) established() string {
	r.t.Helper()
	select {
	case rv := <-r.wire.opened:
		return rv
	case <-r.ended:
		r.t.Fatalf("run ended: %v", r.err)
	case <-time.After(patience):
		r.t.Fatal("no watch was established")
	}
	return ""
}

// failure waits for Run to return an error.
func (r *running) failure() error {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(patience):
		r.t.Fatal("run did not fail")
	}
	err := r.err
	if err == nil {
		r.t.Fatal("run ended without an error")
	}
	r.err = nil
	return err
}

// until waits until the recorder has n events and returns them.
func (r *running) until(n int) []event.Event {
	r.t.Helper()
	for deadline := time.Now().Add(patience); len(r.got()) < n; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("got %d of %d events: %v", len(r.got()), n, brief(r.got()))
		}
	}
	return r.got()
}

// eventually waits until a condition holds.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
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
