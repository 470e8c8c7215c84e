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
	"net"
	"net/http"
	"testing"

	"github.com/go-logr/logr"

	"github.com/kubevela/kube-trigger/pkg/source"
)

// rerun runs a webhook of w until the returned function is called.
func rerun(t *testing.T, w *worker, sub source.Subscription) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	taking := w.logged("webhook takes calls")
	go func() { ended <- sub.Open(nil).Run(logr.NewContext(ctx, w.logger()), w) }()
	w.eventually(func() bool { return w.logged("webhook takes calls") > taking })
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestHold: while an engine takes the place of another, calls are taken, and
// handled by the next; but those of webhooks that are no more, and those that
// come after the last.
func TestHold(t *testing.T) {
	w := startWorker(t, t.TempDir()+"/store.db", []triggerConfig{{"t", "auth: none"}, {"gone", "auth: none"}})
	address := w.server.Addr().String()
	release := w.server.HoldRoutes()
	w.cancel()
	for _, ended := range w.ended {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	w.ended = nil
	w.expectStatus(http.StatusAccepted, call{path: "/n/t", body: `1`})
	w.expectStatus(http.StatusAccepted, call{path: "/n/gone", body: `2`})
	w.server.PruneRoutes(t.Context(), w.hooks[:1])
	w.expectStatus(http.StatusNotFound, call{path: "/n/gone", body: `3`})
	w.expectStatus(http.StatusAccepted, call{path: "/n/t", body: `4`})
	w.waitForEvents(0)

	stop := rerun(t, w, w.hooks[0])
	w.expectStatus(http.StatusAccepted, call{path: "/n/t", body: `5`})
	for i, ev := range w.waitForEvents(3) {
		if want := []any{int64(1), int64(4), int64(5)}[i]; ev.Data["body"] != want {
			t.Errorf("event %d is %v, want %v", i, ev.Data["body"], want)
		}
	}
	if got := w.server.Addr().String(); got != address {
		t.Errorf("listens on %s, before on %s", got, address)
	}
	stop()
	w.expectStatus(http.StatusAccepted, call{path: "/n/t", body: `6`})
	release(t.Context())
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("still listens")
	}
	w.waitForEvents(3)
}
