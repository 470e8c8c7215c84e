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
	"github.com/kubevela/kube-trigger/test/cluster"
)

// TestServer_SharedListener: webhooks share a listener, a path has one owner, and the
// port is free after the last webhook has stopped.
func TestServer_SharedListener(t *testing.T) {
	w := startWorker(t, t.TempDir()+"/store.db", []triggerConfig{{"a", "auth: none"}, {"b", "{auth: none, path: /b}"}})
	w.expectStatus(http.StatusAccepted, request{path: "/n/a", body: `1`})
	w.expectStatus(http.StatusAccepted, request{path: "/b", body: `1`})
	other := w.hooks[1].Open(w.hooks[1:])
	if err := other.Run(t.Context(), w); err == nil || err.Error() != "webhook /b: path /b is already used by trigger n/b" {
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

// runAgain runs a webhook of w until stop is called.
func runAgain(t *testing.T, w *worker, sub source.Subscription) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	accepting := w.logged("webhook accepts requests")
	go func() { ended <- sub.Open(nil).Run(logr.NewContext(ctx, w.logger()), w) }()
	w.eventually(func() bool { return w.logged("webhook accepts requests") > accepting })
	return func() {
		t.Helper()
		cancel()
		if err := cluster.Receive(t, "the end of Run", ended); err != nil {
			t.Error(err)
		}
	}
}

// TestServer_HoldRoutes: while one engine replaces another, requests are accepted and
// delivered by the next engine, except for webhooks that no longer exist.
func TestServer_HoldRoutes(t *testing.T) {
	w := startWorker(t, t.TempDir()+"/store.db", []triggerConfig{{"t", "auth: none"}, {"gone", "auth: none"}})
	address := w.server.Addr().String()
	release := w.server.HoldRoutes()
	w.cancel()
	for _, ended := range w.ended {
		if err := cluster.Receive(t, "the end of Run", ended); err != nil {
			t.Error(err)
		}
	}
	w.ended = nil
	w.expectStatus(http.StatusAccepted, request{path: "/n/t", body: `1`})
	w.expectStatus(http.StatusAccepted, request{path: "/n/gone", body: `2`})
	w.server.PruneRoutes(w.hooks[:1])
	w.expectStatus(http.StatusNotFound, request{path: "/n/gone", body: `3`})
	w.expectStatus(http.StatusAccepted, request{path: "/n/t", body: `4`})
	w.waitForEvents(0)

	stop := runAgain(t, w, w.hooks[0])
	w.expectStatus(http.StatusAccepted, request{path: "/n/t", body: `5`})
	for i, ev := range w.waitForEvents(3) {
		if want := []any{int64(1), int64(4), int64(5)}[i]; ev.Data["body"] != want {
			t.Errorf("event %d is %v, want %v", i, ev.Data["body"], want)
		}
	}
	if got := w.server.Addr().String(); got != address {
		t.Errorf("listens on %s, before on %s", got, address)
	}
	stop()
	w.expectStatus(http.StatusAccepted, request{path: "/n/t", body: `6`})
	release()
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("server still listens")
	}
	w.waitForEvents(3)
}

// TestServer_Slashes: senders add slashes to the URL that they are given, and remove some
// (openwallet-foundation/acapy#1939, minio/minio#7649, freeCodeCamp/hackathon-leaderboard#32).
// A path of other elements is another one.
func TestServer_Slashes(t *testing.T) {
	for _, registered := range []string{"/hooks/web", "/hooks/web/"} {
		w := serve(t, "{auth: none, path: "+registered+"}")
		accepted := []string{"/hooks/web", "/hooks/web/", "//hooks/web", "/hooks//web", "/hooks/w%65b"}
		for _, path := range accepted {
			w.expectStatus(http.StatusAccepted, request{path: path, body: `{}`})
		}
		for _, path := range []string{"/hooks", "/hooks/web/x", "/hooks/../hooks/web", "/hooks/./web", "/Hooks/web", "/"} {
			w.expectStatus(http.StatusNotFound, request{path: path, body: `{}`})
		}
		for _, ev := range w.waitForEvents(len(accepted)) {
			if ev.Data["path"] != registered {
				t.Errorf("path %v, want %s", ev.Data["path"], registered)
			}
		}
	}
}
