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

// Package sources tests sources. It runs those that derive from package resource with a
// real API server and store, and checks the diagnostics of properties.
package sources

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/dynamicclient"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

// WaitTimeout is the maximum time of each wait.
const WaitTimeout = 30 * time.Second

// Program is the configuration of processes. Each process continues from the checkpoints
// of the earlier ones.
type Program struct {
	// Config connects to the API server.
	Config *rest.Config
	// New returns the source.
	New func(resource.Options) source.Factory
	// Folder holds the store, which outlives processes.
	Folder string
	// Namespace is that of the triggers.
	Namespace string
	// Triggers are the properties in YAML, by name of the trigger.
	Triggers map[string]string
}

// Process is a running Program.
type Process struct {
	*testing.T
	subscriptions map[string]source.Subscription
	cleanups      []func() // run in reverse order

	mu sync.Mutex
	// deliveries are by key of the subscription.
	deliveries map[string][]delivery
}

// Start starts a process, and waits until the watches of all triggers are established. The
// process ends with the test.
func (p Program) Start(t *testing.T) *Process {
	t.Helper()
	s, err := file.Open(t.Context(), filepath.Join(p.Folder, "store"), file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	saver := store.NewBatchSaver(s, store.BatchSaverOptions{
		MaxDelay: time.Second, BatchSize: 100, GracePeriod: WaitTimeout, Clock: clock.RealClock{}, OnError: func(err error) { t.Log(err) },
	})
	proc := &Process{T: t, subscriptions: map[string]source.Subscription{}, deliveries: map[string][]delivery{}}
	proc.cleanups = append(proc.cleanups, func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(proc.Stop)
	proc.start(saver.Run)
	watched := make(chan string, 100)
	o := resource.Options{Clock: clock.RealClock{}, Checkpoints: s.Checkpoints(), Saver: saver, OnStatus: func(key string, err error) {
		if err != nil {
			return
		}
		select {
		case watched <- key:
		default:
		}
	}}
	proc.connect(&o, p.Config)
	shared := map[string][]source.Subscription{}
	factory := p.New(o)
	for name, text := range p.Triggers {
		var properties map[string]any
		if err := yaml.Unmarshal([]byte(text), &properties); err != nil {
			t.Fatal(err)
		}
		sub, diagnostics := factory.Compile(properties, source.Spec{TriggerRef: event.TriggerRef{Name: name, Namespace: p.Namespace}})
		if len(diagnostics) > 0 {
			t.Fatal(diagnostics)
		}
		proc.subscriptions[name] = sub
		shared[sub.Key()] = append(shared[sub.Key()], sub)
	}
	for key, subs := range shared {
		opened := subs[0].Open(subs)
		proc.start(func(ctx context.Context) error { return opened.Run(ctx, sink{proc, key}) })
	}
	for pending := maps.Clone(shared); len(pending) > 0; {
		select {
		case key := <-watched:
			delete(pending, key)
		case <-time.After(WaitTimeout):
			t.Fatalf("wait for watches: timed out: %d of %d established", len(shared)-len(pending), len(shared))
		}
	}
	return proc
}

// connect sets the clients of o. Stop closes their connections.
func (p *Process) connect(o *resource.Options, config *rest.Config) {
	p.Helper()
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		p.Fatal(err)
	}
	p.cleanups = slices.Insert(p.cleanups, 0, func() { utilnet.CloseIdleConnectionsFor(httpClient.Transport) })
	var err1, err2, err3 error
	o.Mapper, err1 = apiutil.NewDynamicRESTMapper(config, httpClient)
	o.Client, err2 = dynamicclient.New(config, httpClient)
	o.Metadata, err3 = metadata.NewForConfigAndClient(config, httpClient)
	if err := errors.Join(err1, err2, err3); err != nil {
		p.Fatal(err)
	}
}

// start calls run in the background. Stop ends the context of run and waits for its
// return; an error of run fails the test.
func (p *Process) start(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	p.cleanups = append(p.cleanups, func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				p.Error(err)
			}
		case <-time.After(WaitTimeout):
			p.Error("wait for run: timed out after the end of the context")
		}
	})
}

// Stop stops the process gracefully: checkpoints are saved. A second call does nothing.
func (p *Process) Stop() {
	for _, cleanup := range slices.Backward(p.cleanups) {
		cleanup()
	}
	p.cleanups = nil
}

// delivery is a call of Deliver.
type delivery struct {
	event   event.Event
	options source.Delivery
}

// sink records the deliveries of one source and acknowledges them.
type sink struct {
	process *Process
	key     string
}

func (s sink) Deliver(_ context.Context, ev event.Event, d source.Delivery) error {
	s.process.mu.Lock()
	defer s.process.mu.Unlock()
	s.process.deliveries[s.key] = append(s.process.deliveries[s.key], delivery{ev, d})
	d.Done()
	return nil
}

// Events returns the delivered events that the trigger does not skip.
func (p *Process) Events(name string) []event.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	sub := p.subscriptions[name]
	var events []event.Event
	for _, d := range p.deliveries[sub.Key()] {
		if sub.Skip(d.event, d.options) == "" {
			events = append(events, d.event)
		}
	}
	return events
}

// WaitForEvents waits until the trigger has at least n events, and returns all of its
// events.
func (p *Process) WaitForEvents(name string, n int) []event.Event {
	p.Helper()
	deadline := time.Now().Add(WaitTimeout)
	for ; len(p.Events(name)) < n; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.Fatalf("wait for events of %s: got %d, want %d: %v", name, len(p.Events(name)), n, p.Events(name))
		}
	}
	return p.Events(name)
}
