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

package webhook_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"go.uber.org/goleak"
	"k8s.io/utils/clock"
	crlog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
	"github.com/kubevela/kube-trigger/test/cluster"
)

func TestMain(m *testing.M) {
	if path, ok := os.LookupEnv(childStore); ok {
		if err := child(path); err != nil {
			panic(err)
		}
		return
	}
	crlog.SetLogger(logr.Discard())
	// The tests share clients of API servers, whose connections stay open.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*clientConnReadLoop).run"), goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// waitTimeout limits the time that a test waits for a condition.
const waitTimeout = cluster.WaitTimeout

// worker is a process with webhooks. Its store can be opened by another worker.
type worker struct {
	t       testing.TB
	path    string
	server  *webhook.Server
	store   store.Store
	options webhook.Options
	hooks   []source.Subscription
	// namespace is the namespace of the triggers.
	namespace string
	killed    atomic.Bool
	cancel    context.CancelFunc
	ended     []chan error
	stop      context.CancelFunc
	saved     chan error

	mu     sync.Mutex
	events []event.Event
	lines  []string
	// handle handles an event. If it is nil, events are acknowledged at once.
	handle func(ctx context.Context, ev event.Event, done func()) error
}

// Deliver implements source.Sink.
func (w *worker) Deliver(ctx context.Context, ev event.Event, d source.Delivery) error {
	if w.handle != nil {
		if err := w.handle(ctx, ev, d.Done); err != nil {
			return err
		}
	}
	w.mu.Lock()
	w.events = append(w.events, ev)
	w.mu.Unlock()
	if w.handle == nil {
		d.Done()
	}
	return nil
}

// triggerConfig is a trigger's name and its source's properties in YAML.
type triggerConfig struct{ name, properties string }

type option func(*worker)

// startWorker starts a worker with the file store at path.
func startWorker(t testing.TB, path string, triggers []triggerConfig, options ...option) *worker {
	t.Helper()
	s, err := file.Open(t.Context(), path, file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return startWorkerWithStore(t, s, path, triggers, options...)
}

// startWorkerWithStore starts a worker with a store. The worker closes the store.
func startWorkerWithStore(t testing.TB, s store.Store, path string, triggers []triggerConfig, options ...option) *worker {
	t.Helper()
	w := &worker{t: t, path: path, store: s, namespace: "n", saved: make(chan error, 1)}
	saver := store.NewBatchSaver(w.store, store.BatchSaverOptions{
		MaxDelay: 25 * time.Millisecond, BatchSize: 1000, GracePeriod: time.Minute, Clock: clock.RealClock{},
		OnError: func(err error) {
			if !w.killed.Load() {
				t.Error(err)
			}
		},
	})
	w.server = webhook.NewServer("127.0.0.1:0")
	w.options = webhook.Options{Server: w.server, Clock: clock.RealClock{}, Queue: w.store.Queue(), Checkpoints: w.store.Checkpoints(), Saver: saver}
	for _, o := range options {
		o(w)
	}
	saving, stop := context.WithCancel(context.Background())
	running, cancel := context.WithCancel(logr.NewContext(context.Background(), w.logger()))
	w.stop, w.cancel = stop, cancel
	go func() { w.saved <- saver.Run(saving) }()
	factory := webhook.New(w.options)
	for _, c := range triggers {
		var properties map[string]any
		if err := yaml.Unmarshal([]byte(c.properties), &properties); err != nil {
			t.Fatal(err)
		}
		sub, diags := factory.Compile(properties, source.Spec{TriggerRef: event.TriggerRef{Name: c.name, Namespace: w.namespace}})
		if len(diags) > 0 {
			t.Fatal(diags)
		}
		w.hooks = append(w.hooks, sub)
		ended := make(chan error, 1)
		w.ended = append(w.ended, ended)
		go func() { ended <- sub.Open([]source.Subscription{sub}).Run(running, w) }()
	}
	t.Cleanup(func() {
		if !w.killed.Load() {
			w.shutdown()
		}
	})
	for n := range triggers {
		w.eventually(func() bool { return w.logged("webhook accepts requests") > n })
	}
	return w
}

// serve starts a worker with one webhook of the trigger n/t.
func serve(t testing.TB, properties string, options ...option) *worker {
	t.Helper()
	return startWorker(t, filepath.Join(t.TempDir(), "store.db"), []triggerConfig{{"t", properties}}, options...)
}

func (w *worker) log(prefix, args string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, prefix+args)
}

func (w *worker) logger() logr.Logger { return funcr.New(w.log, funcr.Options{Verbosity: 1}) }

// logged returns the number of log lines that contain text.
func (w *worker) logged(text string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, line := range w.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// received returns the delivered events.
func (w *worker) received() []event.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]event.Event(nil), w.events...)
}

// waitForEvents waits for n events and returns them. More than n are an error.
func (w *worker) waitForEvents(n int) []event.Event {
	w.t.Helper()
	w.eventually(func() bool { return len(w.received()) >= n })
	events := w.received()
	if len(events) != n {
		w.t.Fatalf("%d events, want %d", len(events), n)
	}
	return events
}

func (w *worker) eventually(condition func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(waitTimeout)
	for !condition() {
		if time.Now().After(deadline) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.t.Fatalf("condition not met within %s\n%s", waitTimeout, strings.Join(w.lines, "\n"))
		}
		time.Sleep(time.Millisecond)
	}
}

// shutdown stops the worker gracefully.
func (w *worker) shutdown() {
	w.t.Helper()
	w.killed.Store(true)
	w.cancel()
	for _, ended := range w.ended {
		if err := cluster.Receive(w.t, "the end of a webhook", ended); err != nil {
			w.t.Error(err)
		}
	}
	w.stop()
	if err := errors.Join(cluster.Receive(w.t, "the end of the saver", w.saved), w.store.Close()); err != nil {
		w.t.Error(err)
	}
}

// kill stops the worker without writing what is not yet written to the store.
func (w *worker) kill() {
	w.t.Helper()
	w.killed.Store(true)
	if err := w.store.Close(); err != nil {
		w.t.Error(err)
	}
	w.cancel()
	w.stop()
	for _, ended := range append(w.ended, w.saved) {
		_ = cluster.Receive(w.t, "the end of a webhook or of the saver", ended)
	}
}

// request is a POST request.
type request struct {
	path, query, body string
	headers           map[string]string
}

// url returns the URL of a path.
func (w *worker) url(path string) string { return "http://" + w.server.Addr().String() + path }

func (w *worker) send(c request) (status int, response string) {
	w.t.Helper()
	if c.path == "" {
		c.path = "/n/t"
	}
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url(c.path)+c.query, strings.NewReader(c.body))
	if err != nil {
		w.t.Fatal(err)
	}
	for name, value := range c.headers {
		req.Header.Set(name, value)
	}
	return do(w.t, req)
}

func do(t testing.TB, req *http.Request) (status int, response string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// expectStatus sends a request and checks the status of the response.
func (w *worker) expectStatus(status int, c request) {
	w.t.Helper()
	if got, response := w.send(c); got != status {
		w.t.Errorf("status %d, want %d: %s", got, status, response)
	}
}
