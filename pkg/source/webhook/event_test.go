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
	"encoding/base64"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// TestEvent: what an event has of a call, and what it has not.
func TestEvent(t *testing.T) {
	w := serve(t, "{auth: {type: token, query: pass, secret: "+secretFile(t, "x")+"}, path: /hooks/a}")
	w.expectStatus(http.StatusAccepted, call{
		path: "/hooks/a", query: "?pass=x&a=1&b=2&b=3&api_key=no", body: "name=web&tag=v1",
		headers: map[string]string{
			"Content-Type": "application/x-www-form-urlencoded", "X-Delivery-Id": "7", "X-Other": "yes", "User-Agent": "test",
			"Authorization": "no", "Cookie": "no", "X-Api-Key": "no", "X-Gitlab-Token": "no", "X-Hub-Signature-256": "no",
			"X-Amz-Security-Credential": "no", "X-Session-Id": "no", "Accept-Encoding": "identity",
		},
	})
	got := w.waitForEvents(1)[0]
	want := event.Event{
		Source: "webhook", Type: "request", ID: "webhook/n/t/7", Key: "webhook/n/t/7", Time: got.Time,
		Data: map[string]any{
			"path": "/hooks/a",
			"headers": map[string]any{
				"content-type": "application/x-www-form-urlencoded", "content-length": "15", "x-delivery-id": "7", "x-other": "yes",
				"user-agent": "test", "accept-encoding": "identity", "connection": "close",
			},
			"query": map[string]any{"a": "1", "b": []any{"2", "3"}},
			"body":  map[string]any{"name": "web", "tag": "v1"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestIDs: two calls without a name are two events; a name that is no text to
// print, or a long one, still names one delivery.
func TestIDs(t *testing.T) {
	w := serve(t, "auth: none")
	for range 2 {
		w.expectStatus(http.StatusAccepted, call{body: `{}`})
	}
	for _, name := range []string{strings.Repeat("x", 1000), "a b", "ä"} {
		w.expectStatus(http.StatusAccepted, call{body: `{}`, headers: map[string]string{"X-Delivery-Id": name}})
		w.expectStatus(http.StatusOK, call{body: `{}`, headers: map[string]string{"X-Delivery-Id": name}})
	}
	for _, ev := range w.waitForEvents(5) {
		if len(ev.ID) > 200 || strings.ContainsAny(ev.ID, " ä") {
			t.Errorf("ID %q", ev.ID)
		}
	}
}

func TestCloudEvent(t *testing.T) {
	w := serve(t, "auth: none")
	binary := call{body: `{"n":1}`, headers: map[string]string{
		"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "/s", "Ce-Type": "com.example.made", "Ce-Subject": "u", "Content-Type": "application/json",
	}}
	structured := call{
		body:    `{"specversion":"1.0","id":"1","source":"/s","type":"com.example.made","subject":"u","data":{"n":1}}`,
		headers: map[string]string{"Content-Type": "application/cloudevents+json"},
	}
	w.expectStatus(http.StatusAccepted, binary)
	w.expectStatus(http.StatusOK, structured) // the same event
	structured.body = strings.Replace(structured.body, `"id":"1"`, `"id":"2"`, 1)
	w.expectStatus(http.StatusAccepted, structured)
	for i, ev := range w.waitForEvents(2) {
		if ev.Type != "com.example.made" || ev.Key != "n/t /s u" {
			t.Errorf("event %v", ev)
		}
		of, _ := ev.Data["cloudEvent"].(map[string]any)
		if diff := cmp.Diff(map[string]any{"n": int64(1)}, ev.Data["body"]); diff != "" || of["id"] != []string{"1", "2"}[i] {
			t.Errorf("%v %s", of, diff)
		}
	}
}

// TestRegistries gets notifications by way of HTTP, plain and in CloudEvents.
func TestRegistries(t *testing.T) {
	const digest = "sha256:954b378c375d852eb3c63ab88978f640b4348b01c1b3456a024a81536dafbbf4"
	data := `"resources":[{"digest":"` + digest + `","tag":"v1","resource_url":"h.example.com/library/web:v1"}],"repository":{"repo_full_name":"library/web"}`
	w := serve(t, "{auth: none, registry: harbor}")
	w.expectStatus(http.StatusAccepted, call{body: `{"type":"PUSH_ARTIFACT","event_data":{` + data + `}}`})
	w.expectStatus(http.StatusAccepted, call{
		body:    `{"specversion":"1.0","id":"1","source":"/projects/1","type":"harbor.artifact.pushed","datacontenttype":"application/json","data":{` + data + `}}`,
		headers: map[string]string{"Content-Type": "application/cloudevents+json"},
	})
	w.expectStatus(http.StatusAccepted, call{body: `{"type":"TEST"}`})
	w.expectStatus(http.StatusBadRequest, call{body: `[]`})
	w.expectStatus(http.StatusBadRequest, call{body: strings.Replace(`{"event_data":{`+data+`}}`, "v1", "v1;reboot", 1)})
	events := w.waitForEvents(3)
	image := map[string]any{"registry": "h.example.com", "repository": "library/web", "tag": "v1", "digest": digest}
	for i, kind := range []string{"PUSH_ARTIFACT", "harbor.artifact.pushed"} {
		ev := events[i]
		if diff := cmp.Diff(image, ev.Data["image"]); diff != "" || ev.Type != kind || ev.Key != "n/t h.example.com/library/web" {
			t.Errorf("%s %s: %s", ev.Type, ev.Key, diff)
		}
	}
	if _, there := events[2].Data["image"]; there || events[2].Type != "TEST" {
		t.Errorf("got %v", events[2])
	}
	acr := serve(t, "{auth: none, registry: acr}")
	ping := call{body: `{"id":"p-1","action":"ping"}`}
	acr.expectStatus(http.StatusAccepted, ping)
	acr.expectStatus(http.StatusOK, ping)
	acr.waitForEvents(1)
}

// TestFromNow leaves out what was taken and not done.
func TestFromNow(t *testing.T) {
	w := killedWorker(t)
	again := startWorker(t, w.path, []triggerConfig{{"t", "auth: none"}}, func(w *worker) { w.options.FromNow = true })
	again.expectStatus(http.StatusAccepted, call{body: `2`})
	if ev := again.waitForEvents(1)[0]; ev.Data["body"] != int64(2) {
		t.Errorf("got %v", ev)
	}
}

// TestPrune forgets what a trigger has taken that is no webhook any more, and
// nothing of others.
func TestPrune(t *testing.T) {
	w := killedWorker(t)
	again := startWorker(t, w.path, []triggerConfig{{"u", "auth: none"}})
	if err := webhook.Prune(t.Context(), again.store, again.store, append(w.hooks, again.hooks...)); err != nil {
		t.Fatal(err)
	}
	if n := queueLength(t, again); n != 1 {
		t.Errorf("%d events are left", n)
	}
	if err := webhook.Prune(t.Context(), again.store, again.store, again.hooks); err != nil {
		t.Fatal(err)
	}
	names, err := again.store.Watches(t.Context())
	if diff := cmp.Diff([]string{"webhook:n/u"}, names); diff != "" || err != nil || queueLength(t, again) != 0 {
		t.Error(diff, err)
	}
	again.waitForEvents(0)
}

// killedWorker returns a worker that was killed before an event was done.
func killedWorker(t *testing.T) *worker {
	t.Helper()
	w := serve(t, "auth: none", func(w *worker) { w.handle = neverAck })
	w.expectStatus(http.StatusAccepted, call{body: `1`})
	w.kill()
	return w
}

// TestNoStore keeps events in memory.
func TestNoStore(t *testing.T) {
	w := startWorker(t, filepath.Join(t.TempDir(), "store.db"), []triggerConfig{{"t", "auth: none"}}, func(w *worker) {
		w.options.Queue, w.options.Checkpoints, w.options.Saver = nil, nil, nil
	})
	once := call{body: `1`, headers: map[string]string{"X-Delivery-Id": "1"}}
	w.expectStatus(http.StatusAccepted, once)
	w.expectStatus(http.StatusOK, once)
	w.waitForEvents(1)
	names, err := w.store.Watches(t.Context())
	if len(names) > 0 || err != nil {
		t.Errorf("stored %v, %v", names, err)
	}
}

// TestStoreFails: nothing is answered with 202 that is not stored.
func TestStoreFails(t *testing.T) {
	w := serve(t, "auth: none")
	w.killed.Store(true)
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	w.expectStatus(http.StatusServiceUnavailable, call{body: `1`})
	w.cancel()
	w.stop()
	// The source may have failed, too, as it may with such a store.
	_ = errors.Join(<-w.ended[0], <-w.saved)
	again := startWorker(t, w.path, []triggerConfig{{"t", "auth: none"}})
	again.expectStatus(http.StatusAccepted, call{body: `2`})
	again.waitForEvents(1)
}

// failingQueue is a spool whose next calls wait, and then fail.
type failingQueue struct {
	store.Queue
	unblock chan struct{}
	entered chan struct{}
}

var errQueue = errors.New("stubborn")

func (s *failingQueue) Enqueue(ctx context.Context, ev event.Event) error {
	select {
	case s.entered <- struct{}{}:
	default: // all but the first
		return s.Queue.Enqueue(ctx, ev)
	}
	<-s.unblock
	return errQueue
}

// TestDuplicateOfWhatFails: a delivery that comes again while it is being stored
// is not answered before that is known, and taken when it has failed.
func TestDuplicateOfWhatFails(t *testing.T) {
	s := &failingQueue{unblock: make(chan struct{}), entered: make(chan struct{}, 1)}
	w := serve(t, "auth: none", func(w *worker) { s.Queue, w.options.Queue = w.options.Queue, s })
	same := call{body: `1`, headers: map[string]string{"X-Delivery-Id": "1"}}
	statuses := make(chan int, 2)
	ask := func() {
		status, _ := w.send(same)
		statuses <- status
	}
	go ask()
	w.eventually(func() bool { return len(s.entered) == 1 })
	go ask()
	// Another call is answered meanwhile, that one is not.
	w.expectStatus(http.StatusAccepted, call{body: `2`})
	select {
	case status := <-statuses:
		t.Errorf("answered with %d before it was stored", status)
	default:
	}
	close(s.unblock)
	if a, b := <-statuses, <-statuses; a+b != http.StatusServiceUnavailable+http.StatusAccepted {
		t.Errorf("answered with %d and %d", a, b)
	}
	w.waitForEvents(2)
}

// TestReplay: who has seen a signed call cannot make another one of it by headers
// that are not signed.
func TestReplay(t *testing.T) {
	w := serve(t, "auth: {type: standard, secret: "+secretFile(t, "whsec_"+base64.StdEncoding.EncodeToString([]byte(secretValue)))+"}")
	seen := call{body: body, headers: standard("1", time.Now(), body)}
	for name, value := range map[string]string{
		"Ce-Specversion": "1.0", "Ce-Source": "/s", "Ce-Type": "t", "Ce-Id": "1", "Content-Type": "application/json",
	} {
		seen.headers[name] = value
	}
	w.expectStatus(http.StatusAccepted, seen)
	for name, value := range map[string]string{"Ce-Id": "2", "Ce-Source": "/other", "X-Delivery-Id": "2", "Idempotency-Key": "2"} {
		seen.headers[name] = value
		w.expectStatus(http.StatusOK, seen)
	}
	w.waitForEvents(1)
}

// saverWithoutAck is a saver that crashes before it releases anything.
type saverWithoutAck struct{ webhook.Saver }

func (saverWithoutAck) Ack(string, string) {}

// TestDoneButThere: an event that was done, and is in the store still, is not
// delivered again.
func TestDoneButThere(t *testing.T) {
	w := serve(t, "auth: none", func(w *worker) { w.options.Saver = saverWithoutAck{w.options.Saver} })
	w.expectStatus(http.StatusAccepted, call{body: `1`})
	w.waitForEvents(1)
	w.shutdown()
	again := startWorker(t, w.path, []triggerConfig{{"t", "auth: none"}})
	again.eventually(func() bool { return queueLength(t, again) == 0 })
	again.waitForEvents(0)
}
