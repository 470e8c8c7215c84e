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
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/event"
)

func TestAnswers(t *testing.T) {
	w := serve(t, "{auth: none, maxBodyBytes: 100}")
	large := `"` + strings.Repeat("x", 99) + `"`
	for _, tc := range []struct {
		name   string
		status int
		call   call
	}{
		{"good", http.StatusAccepted, call{body: `{"a":1}`}},
		{"no such path", http.StatusNotFound, call{path: "/n/u", body: `{}`}},
		{"below the path", http.StatusNotFound, call{path: "/n/t/", body: `{}`}},
		{"too large", http.StatusRequestEntityTooLarge, call{body: large}},
		{"no JSON", http.StatusBadRequest, call{body: `{"a":`}},
		{"empty", http.StatusBadRequest, call{}},
		{"other kind", http.StatusUnsupportedMediaType, call{body: `<a/>`, headers: map[string]string{"Content-Type": "application/xml"}}},
		{"batch", http.StatusUnsupportedMediaType, call{body: `[]`, headers: map[string]string{"Content-Type": "application/cloudevents-batch+json"}}},
		{"deep", http.StatusBadRequest, call{body: strings.Repeat("[", 99)}},
	} {
		if status, answer := w.send(tc.call); status != tc.status {
			t.Errorf("%s: %d, want %d: %s", tc.name, status, tc.status, answer)
		}
	}
	for method, want := range map[string]int{"GET": 405, "PUT": 405, "OPTIONS": 405} {
		req, err := http.NewRequestWithContext(t.Context(), method, w.url("/n/t"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, _ := do(t, req); status != want {
			t.Errorf("%s: %d", method, status)
		}
	}
	// What announces no length is counted.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url("/n/t"), io.MultiReader(strings.NewReader(large)))
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := do(t, req); status != http.StatusRequestEntityTooLarge {
		t.Errorf("chunked: %d %s", status, answer)
	}
	w.waitForEvents(1)
}

// TestTruncated: what is not sent to its end is not taken, although what came is
// JSON.
func TestTruncated(t *testing.T) {
	w := serve(t, "auth: none")
	for name, head := range map[string]string{
		"length":  "Content-Length: 3\r\n\r\n17",
		"chunked": "Transfer-Encoding: chunked\r\n\r\n2\r\n17\r\n5\r\n",
	} {
		conn, err := net.Dial("tcp", w.server.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "POST /n/t HTTP/1.1\r\nHost: x\r\n"+head); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil || bytes.Contains(answer, []byte("202 Accepted")) {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
		conn.Close()
	}
	w.expectStatus(http.StatusAccepted, call{body: `1`})
	w.waitForEvents(1)
}

func TestRateLimit(t *testing.T) {
	w := serve(t, "{auth: none, rateLimit: {perSecond: 0.001, burst: 3}}")
	for range 3 {
		w.expectStatus(http.StatusAccepted, call{body: `{}`})
	}
	w.expectStatus(http.StatusTooManyRequests, call{body: `{}`})
	w.waitForEvents(3)
}

// TestDuplicates: of calls with the same delivery at the same time, one is taken,
// and none is answered before it is stored.
func TestDuplicates(t *testing.T) {
	w := serve(t, "auth: none")
	statuses := make(chan int, 20)
	for range cap(statuses) {
		go func() {
			status, _ := w.send(call{body: `{}`, headers: map[string]string{"X-Delivery-Id": "same"}})
			statuses <- status
		}()
	}
	count := map[int]int{}
	for range cap(statuses) {
		count[<-statuses]++
	}
	if diff := cmp.Diff(map[int]int{http.StatusAccepted: 1, http.StatusOK: cap(statuses) - 1}, count); diff != "" {
		t.Error(diff)
	}
	w.waitForEvents(1)
}

// TestKilled: what was answered with 202 is handled although the worker is killed
// at once, and what was handled is not taken again.
func TestKilled(t *testing.T) {
	headers := map[string]string{"X-Delivery-Id": "1"}
	w := serve(t, "auth: none", func(w *worker) {
		w.handle = neverAck
	})
	w.expectStatus(http.StatusAccepted, call{body: `{"n":12345678901,"f":1.5}`, headers: headers})
	w.kill()
	again := startWorker(t, w.path, []triggerConfig{{"t", "auth: none"}})
	events := again.waitForEvents(1)
	want := map[string]any{"n": int64(12345678901), "f": 1.5}
	if diff := cmp.Diff(want, events[0].Data["body"]); diff != "" || events[0].Source != "webhook" || events[0].ID != "webhook/n/t/1" {
		t.Errorf("event %v: %s", events[0], diff)
	}
	again.expectStatus(http.StatusOK, call{body: `{}`, headers: headers})
	again.shutdown()
	third := startWorker(t, w.path, []triggerConfig{{"t", "auth: none"}})
	third.expectStatus(http.StatusOK, call{body: `{}`, headers: headers})
	third.expectStatus(http.StatusAccepted, call{body: `{}`})
	third.waitForEvents(1)
}

// neverAck takes an event, and is not done with it.
func neverAck(context.Context, event.Event, func()) error { return nil }

// TestFullEngine: while the engine takes nothing, calls are taken into the store,
// beyond what may be in memory, and handled in their order once it does.
func TestFullEngine(t *testing.T) {
	const calls = 60 // of about 200 KiB, more than webhook.MaxHeld
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
	for n := range calls {
		w.expectStatus(http.StatusAccepted, call{body: large, headers: map[string]string{"X-Delivery-Id": string(rune('A' + n))}})
	}
	if n := len(w.received()); n != 0 {
		t.Errorf("%d events", n)
	}
	close(gate)
	for n, ev := range w.waitForEvents(calls) {
		if want := "webhook/n/t/" + string(rune('A'+n)); ev.ID != want {
			t.Errorf("event %d is %s, want %s", n, ev.ID, want)
		}
	}
	w.eventually(func() bool { return queueLength(t, w) == 0 })
}

// TestStillHeld: what the engine has taken and is not done with is not delivered
// again when the store is read again.
func TestStillHeld(t *testing.T) {
	const calls, more = 60, 5
	var mu sync.Mutex
	var open []func()
	w := serve(t, "auth: none", func(w *worker) {
		w.handle = func(_ context.Context, _ event.Event, done func()) error {
			mu.Lock()
			defer mu.Unlock()
			open = append(open, done)
			return nil
		}
	})
	finish := func(leave int) {
		mu.Lock()
		defer mu.Unlock()
		for len(open) > leave {
			open[0]()
			open = open[1:]
		}
	}
	large := call{body: `"` + strings.Repeat("x", 200<<10) + `"`}
	for range calls {
		w.expectStatus(http.StatusAccepted, large)
	}
	w.eventually(func() bool { return len(w.received()) >= 30 }) // as many as there is room for
	for range more {
		w.expectStatus(http.StatusAccepted, large)
	}
	w.eventually(func() bool {
		finish(20)
		return len(w.received()) >= calls+more
	})
	finish(0)
	w.eventually(func() bool { return queueLength(t, w) == 0 })
	seen := map[string]int{}
	for _, ev := range w.waitForEvents(calls + more) {
		seen[ev.ID]++
	}
	if len(seen) != calls+more {
		t.Errorf("%d events, some of them twice", len(seen))
	}
}

// queueLength returns how many events are in the store.
func queueLength(t testing.TB, w *worker) int {
	t.Helper()
	n := 0
	for _, err := range w.store.Queued(t.Context(), "webhook:n/t") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// TestEngineStops: what the engine does not take is delivered when it runs again.
func TestEngineStops(t *testing.T) {
	stopped := errors.New("stopped")
	w := serve(t, "auth: none", func(w *worker) {
		w.handle = func(context.Context, event.Event, func()) error { return stopped }
	})
	w.expectStatus(http.StatusAccepted, call{body: `{}`})
	if err := <-w.ended[0]; !errors.Is(err, stopped) {
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
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestOneServer: webhooks share a listener, a path has one owner, and the port is
// free when the last has gone.
func TestOneServer(t *testing.T) {
	w := startWorker(t, t.TempDir()+"/store.db", []triggerConfig{{"a", "auth: none"}, {"b", "{auth: none, path: /b}"}})
	w.expectStatus(http.StatusAccepted, call{path: "/n/a", body: `1`})
	w.expectStatus(http.StatusAccepted, call{path: "/b", body: `1`})
	other := w.hooks[1].Open(w.hooks[1:])
	if err := other.Run(t.Context(), w); err == nil || err.Error() != "webhook /b: path /b is taken by trigger n/b" {
		t.Errorf("got %v", err)
	}
	address := w.server.Addr().String()
	w.shutdown()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}
