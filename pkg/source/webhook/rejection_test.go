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
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	testclock "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
)

// TestServer_Rejections: each rejected request is reported, and each kind is logged once at
// the default level, with its reason.
func TestServer_Rejections(t *testing.T) {
	var mu sync.Mutex
	var got []webhook.Rejection
	w := serve(t, "{auth: {type: token, query: token, secret: "+secretFile(t, "x")+"}, registry: harbor}", func(w *worker) {
		w.server.OnRejected = func(r webhook.Rejection) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, r)
		}
	})
	for range 3 {
		w.expectStatus(http.StatusBadRequest, request{query: "?token=x", body: "{"})
	}
	w.expectStatus(http.StatusUnsupportedMediaType, request{query: "?token=x", body: "<a/>", headers: map[string]string{"Content-Type": "application/xml"}})
	for range 2 {
		w.expectStatus(http.StatusUnauthorized, request{query: "?token=y", body: "{}"})
		w.expectStatus(http.StatusNotFound, request{path: "/n/u", body: "{}"})
	}
	w.expectStatus(http.StatusAccepted, request{query: "?token=x", body: "{}"})
	w.waitForEvents(1)
	if n := w.logged(`"level"=0 "msg"="Request rejected"`); n != 4 {
		t.Errorf("%d lines at the default level, want 4: %v", n, w.lines)
	}
	for _, reason := range []string{"malformed body", `\"application/xml\" is neither JSON`, "wrong token", "no webhook has this path"} {
		if w.logged(reason) == 0 {
			t.Errorf("no line has the reason %s: %v", reason, w.lines)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	n := event.TriggerRef{Namespace: "n", Name: "t"}
	malformed := webhook.Rejection{Trigger: n, Status: http.StatusBadRequest, Reason: "Malformed"}
	unauthorized := webhook.Rejection{Trigger: n, Status: http.StatusUnauthorized, Reason: "Unauthorized"}
	notFound := webhook.Rejection{Status: http.StatusNotFound, Reason: "NotFound"}
	want := []webhook.Rejection{
		malformed, malformed, malformed, {Trigger: n, Status: http.StatusUnsupportedMediaType, Reason: "UnsupportedMediaType"},
		unauthorized, notFound, unauthorized, notFound,
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(webhook.Rejection{}, "Message", "Time")); diff != "" {
		t.Error(diff)
	}
}

// TestServer_RejectionLog: what senders choose does not fill the log: neither long values that
// reasons quote, nor many addresses (neochaotic/leoflow#506).
func TestServer_RejectionLog(t *testing.T) {
	w := serve(t, "auth: none", func(w *worker) { w.options.Clock = testclock.NewFakeClock(time.Now()) })
	w.expectStatus(http.StatusUnsupportedMediaType, request{body: "x", headers: map[string]string{"Content-Type": "application/" + strings.Repeat("x", 10_000)}})
	for n := range 2 * webhook.MaxLogLines {
		from := &net.TCPAddr{IP: net.IPv4(127, 1, 0, byte(n))}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{LocalAddr: from}).DialContext}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url("/n/t"), strings.NewReader("{"))
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("status %d", res.StatusCode)
		}
	}
	lines := w.logged(`"msg"="Request rejected"`)
	if n := w.logged(`"level"=0 "msg"="Request rejected"`); lines != 1+2*webhook.MaxLogLines || n != webhook.MaxLogLines {
		t.Errorf("%d lines, of which %d at the default level, want %d and %d", lines, n, 1+2*webhook.MaxLogLines, webhook.MaxLogLines)
	}
	for _, line := range w.lines {
		if len(line) > 1000 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

// TestServer_UnknownPathLog: that no webhook has a path is not about one of the webhooks.
func TestServer_UnknownPathLog(t *testing.T) {
	w := serve(t, "auth: none")
	w.expectStatus(http.StatusNotFound, request{path: "/n/u", body: "{}"})
	w.expectStatus(http.StatusUnsupportedMediaType, request{body: "<a/>", headers: map[string]string{"Content-Type": "application/xml"}})
	w.eventually(func() bool { return w.logged(`"msg"="Request rejected" "trigger"="n/t" "status"=415`) == 1 })
	if n := w.logged(`"msg"="Request rejected" "status"=404`); n != 1 {
		t.Errorf("%d lines, want one without a trigger: %v", n, w.lines)
	}
}
