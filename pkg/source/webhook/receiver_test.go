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
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// TestReceiver_ConcurrentDuplicates accepts one of several concurrent requests with the
// same delivery ID. None is answered before the event is stored.
func TestReceiver_ConcurrentDuplicates(t *testing.T) {
	w := serve(t, "auth: none")
	statuses := make(chan int, 20)
	for range cap(statuses) {
		go func() {
			status, _ := w.send(request{body: `{}`, headers: map[string]string{"X-Delivery-Id": "same"}})
			statuses <- status
		}()
	}
	count := map[int]int{}
	for range cap(statuses) {
		count[cluster.Receive(t, "an answer", statuses)]++
	}
	if diff := cmp.Diff(map[int]int{http.StatusAccepted: 1, http.StatusOK: cap(statuses) - 1}, count); diff != "" {
		t.Error(diff)
	}
	w.waitForEvents(1)
}

// failingQueue is a queue whose first Enqueue blocks and then fails.
type failingQueue struct {
	store.Queue
	unblock chan struct{}
	entered chan struct{}
}

var errQueue = errors.New("enqueue failed")

func (s *failingQueue) Enqueue(ctx context.Context, ev event.Event) error {
	select {
	case s.entered <- struct{}{}:
	default: // not the first call
		return s.Queue.Enqueue(ctx, ev)
	}
	<-s.unblock
	return errQueue
}

// TestReceiver_DuplicateOfFailedStore answers a duplicate only after the first delivery is
// settled, and accepts it because storing the first one failed.
func TestReceiver_DuplicateOfFailedStore(t *testing.T) {
	s := &failingQueue{unblock: make(chan struct{}), entered: make(chan struct{}, 1)}
	w := serve(t, "auth: none", func(w *worker) { s.Queue, w.options.Queue = w.options.Queue, s })
	same := request{body: `1`, headers: map[string]string{"X-Delivery-Id": "1"}}
	statuses := make(chan int, 2)
	sendDuplicate := func() {
		status, _ := w.send(same)
		statuses <- status
	}
	go sendDuplicate()
	w.eventually(func() bool { return len(s.entered) == 1 })
	go sendDuplicate()
	// A request with another ID is answered meanwhile, the duplicate is not.
	w.expectStatus(http.StatusAccepted, request{body: `2`})
	select {
	case status := <-statuses:
		t.Errorf("answered with %d before it was stored", status)
	default:
	}
	close(s.unblock)
	if a, b := cluster.Receive(t, "an answer", statuses), cluster.Receive(t, "an answer", statuses); a+b != http.StatusServiceUnavailable+http.StatusAccepted {
		t.Errorf("answered with %d and %d", a, b)
	}
	w.waitForEvents(2)
}

// TestReceiver_Crash delivers an event that was answered with 202 after a crash, and
// does not accept its delivery again.
func TestReceiver_Crash(t *testing.T) {
	headers := map[string]string{"X-Delivery-Id": "1"}
	w := serve(t, "auth: none", func(w *worker) {
		w.handle = neverAck
	})
	w.expectStatus(http.StatusAccepted, request{body: `{"n":12345678901,"f":1.5}`, headers: headers})
	w.kill()
	second := startWorker(t, w.path, []triggerConfig{{"t", "auth: none"}})
	events := second.waitForEvents(1)
	want := map[string]any{"n": int64(12345678901), "f": 1.5}
	if diff := cmp.Diff(want, events[0].Data["body"]); diff != "" || events[0].Source != "webhook" || events[0].ID != "webhook/n/t/1" {
		t.Errorf("event %v: %s", events[0], diff)
	}
	second.expectStatus(http.StatusOK, request{body: `{}`, headers: headers})
	second.shutdown()
	third := startWorker(t, w.path, []triggerConfig{{"t", "auth: none"}})
	third.expectStatus(http.StatusOK, request{body: `{}`, headers: headers})
	third.expectStatus(http.StatusAccepted, request{body: `{}`})
	third.waitForEvents(1)
}

// neverAck accepts an event and does not acknowledge it.
func neverAck(context.Context, event.Event, func()) error { return nil }

// killedWorker returns a worker that was killed before it acknowledged an event.
func killedWorker(t *testing.T) *worker {
	t.Helper()
	w := serve(t, "auth: none", func(w *worker) { w.handle = neverAck })
	w.expectStatus(http.StatusAccepted, request{body: `1`})
	w.kill()
	return w
}

// TestReceiver_FromNow discards stored events that are not acknowledged.
func TestReceiver_FromNow(t *testing.T) {
	w := killedWorker(t)
	second := startWorker(t, w.path, []triggerConfig{{"t", "auth: none"}}, func(w *worker) { w.options.FromNow = true })
	second.expectStatus(http.StatusAccepted, request{body: `2`})
	if ev := second.waitForEvents(1)[0]; ev.Data["body"] != int64(2) {
		t.Errorf("got %v", ev)
	}
}

// TestReceiver_Backpressure stores more events than fit in memory while the engine
// blocks, and delivers them in order afterwards.
func TestReceiver_Backpressure(t *testing.T) {
	const requests = 60 // of about 200 KiB, more than webhook.MaxMemoryBytes
	gate := make(chan struct{})
	w := serve(t, "auth: none", func(w *worker) {
		w.handle = func(ctx context.Context, _ event.Event, done func()) error {
			select {
			case <-gate:
				done()
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	large := `"` + strings.Repeat("x", 200<<10) + `"`
	for n := range requests {
		w.expectStatus(http.StatusAccepted, request{body: large, headers: map[string]string{"X-Delivery-Id": string(rune('A' + n))}})
	}
	if n := len(w.received()); n != 0 {
		t.Errorf("%d events", n)
	}
	close(gate)
	for n, ev := range w.waitForEvents(requests) {
		if want := "webhook/n/t/" + string(rune('A'+n)); ev.ID != want {
			t.Errorf("event %d is %s, want %s", n, ev.ID, want)
		}
	}
	w.eventually(func() bool { return queueLength(t, w) == 0 })
}

// queueLength returns the number of events in the store.
func queueLength(t testing.TB, w *worker) int {
	t.Helper()
	n := 0
	for _, err := range w.store.Queue().Pending(t.Context(), "webhook:n/t") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// TestReceiver_ReplaySkipsInFlight does not deliver events again that the engine has not
// acknowledged when the store is read.
func TestReceiver_ReplaySkipsInFlight(t *testing.T) {
	const requests, more = 60, 5
	var mu sync.Mutex
	var acks []func()
	w := serve(t, "auth: none", func(w *worker) {
		w.handle = func(_ context.Context, _ event.Event, done func()) error {
			mu.Lock()
			defer mu.Unlock()
			acks = append(acks, done)
			return nil
		}
	})
	finish := func(keep int) {
		mu.Lock()
		defer mu.Unlock()
		for len(acks) > keep {
			acks[0]()
			acks = acks[1:]
		}
	}
	large := request{body: `"` + strings.Repeat("x", 200<<10) + `"`}
	for range requests {
		w.expectStatus(http.StatusAccepted, large)
	}
	w.eventually(func() bool { return len(w.received()) >= 30 }) // as many as fit in memory
	for range more {
		w.expectStatus(http.StatusAccepted, large)
	}
	w.eventually(func() bool {
		finish(20)
		return len(w.received()) >= requests+more
	})
	finish(0)
	w.eventually(func() bool { return queueLength(t, w) == 0 })
	seen := map[string]int{}
	for _, ev := range w.waitForEvents(requests + more) {
		seen[ev.ID]++
	}
	if len(seen) != requests+more {
		t.Errorf("%d events, some of them twice", len(seen))
	}
}

// TestReceiver_RunAgain delivers an event that the engine did not take when Run is
// called again.
func TestReceiver_RunAgain(t *testing.T) {
	stopped := errors.New("stopped")
	w := serve(t, "auth: none", func(w *worker) {
		w.handle = func(context.Context, event.Event, func()) error { return stopped }
	})
	w.expectStatus(http.StatusAccepted, request{body: `{}`})
	if err := cluster.Receive(t, "the end of Run", w.ended[0]); !errors.Is(err, stopped) {
		t.Errorf("ended with %v", err)
	}
	w.ended = nil
	w.handle = nil
	sub := w.hooks[0]
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- sub.Open(w.hooks).Run(ctx, w) }()
	w.waitForEvents(1)
	cancel()
	if err := cluster.Receive(t, "the end of Run", ended); err != nil {
		t.Error(err)
	}
}

// saverWithoutAck drops acks, like a crash before they are written.
type saverWithoutAck struct{ store.Saver }

func (saverWithoutAck) Ack(string, string) {}

// TestReceiver_LostAck does not deliver an acknowledged event again that is still in the store.
func TestReceiver_LostAck(t *testing.T) {
	w := serve(t, "auth: none", func(w *worker) { w.options.Saver = saverWithoutAck{w.options.Saver} })
	w.expectStatus(http.StatusAccepted, request{body: `1`})
	w.waitForEvents(1)
	w.shutdown()
	second := startWorker(t, w.path, []triggerConfig{{"t", "auth: none"}})
	second.eventually(func() bool { return queueLength(t, second) == 0 })
	second.waitForEvents(0)
}

// TestReceiver_NoStore queues events in memory.
func TestReceiver_NoStore(t *testing.T) {
	w := startWorker(t, filepath.Join(t.TempDir(), "store.db"), []triggerConfig{{"t", "auth: none"}}, func(w *worker) {
		w.options.Queue, w.options.Checkpoints, w.options.Saver = nil, nil, nil
	})
	once := request{body: `1`, headers: map[string]string{"X-Delivery-Id": "1"}}
	w.expectStatus(http.StatusAccepted, once)
	w.expectStatus(http.StatusOK, once)
	w.waitForEvents(1)
	names, err := w.store.Checkpoints().List(t.Context())
	if len(names) > 0 || err != nil {
		t.Errorf("stored %v, %v", names, err)
	}
}

// TestReceiver_StoreFails answers with 503 if the event cannot be stored.
func TestReceiver_StoreFails(t *testing.T) {
	w := serve(t, "auth: none")
	w.killed.Store(true)
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	w.expectStatus(http.StatusServiceUnavailable, request{body: `1`})
	w.cancel()
	w.stop()
	// The source may have failed as well, because its store is closed.
	_ = errors.Join(cluster.Receive(t, "the end of Run", w.ended[0]), cluster.Receive(t, "the end of the saver", w.saved))
	second := startWorker(t, w.path, []triggerConfig{{"t", "auth: none"}})
	second.expectStatus(http.StatusAccepted, request{body: `2`})
	second.waitForEvents(1)
}
