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

package socket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
	"github.com/kubevela/kube-trigger/pkg/store/socket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve serves a store with three dead letters, and returns their IDs. stop ends Serve
// and returns its error.
func serve(t *testing.T, onReplayRequest func()) (s *file.Store, path string, ids []string, stop func() error) {
	t.Helper()
	dir := t.TempDir()
	s, err := file.Open(t.Context(), filepath.Join(dir, "store"), file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for i := range 3 {
		id, err := s.DeadLetters().Put(t.Context(), store.DeadLetter{
			Trigger: event.TriggerRef{Name: "notify", Namespace: "default"}, Reason: "TerminalError", Error: "refused", Attempts: 1,
			Event: event.Event{Source: "webhook", Type: "post", Key: "a", ID: fmt.Sprint(i), Data: map[string]any{"n": int64(i), "x": nil}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	path = filepath.Join(dir, "store.sock")
	// A stale file of a killed process.
	if err := os.WriteFile(path, nil, 0o666); err != nil { //nolint:gosec // Listen must reduce the permissions
		t.Fatal(err)
	}
	l, err := socket.Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	debug := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL) })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- socket.Serve(ctx, l, debug, s.DeadLetters(), onReplayRequest) }()
	return s, path, ids, func() error {
		cancel()
		return <-done
	}
}

func assertEqual[T any](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestClient_DeadLetters(t *testing.T) {
	ctx, requests := t.Context(), 0
	s, path, ids, stop := serve(t, func() { requests++ })
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	c, err := socket.Dial(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	got, gotErr := c.List(ctx)
	want, wantErr := s.DeadLetters().List(ctx)
	assertEqual(t, got, want)
	gotOne, gotOneErr := c.Get(ctx, ids[1])
	wantOne, wantOneErr := s.DeadLetters().Get(ctx, ids[1])
	assertEqual(t, gotOne, wantOne)
	if err := errors.Join(gotErr, wantErr, gotOneErr, wantOneErr, c.RequestReplay(ctx, ids[2]), c.Delete(ctx, ids[0])); err != nil {
		t.Fatal(err)
	}
	if ids, err := s.DeadLetters().ReplayRequested(ctx); err != nil || requests != 1 || !slices.Equal(ids, []string{got.Items[2].ID}) {
		t.Errorf("requested: %v, %d calls, %v", ids, requests, err)
	}
	malformed := ids[0] + "/../%2e?x"
	_, err = c.Get(ctx, ids[0])
	_, malformedErr := c.Get(ctx, malformed)
	for name, err := range map[string]error{
		"get": err, "get malformed ID": malformedErr, "replay": c.RequestReplay(ctx, ids[0]), "delete": c.Delete(ctx, ids[0]),
	} {
		if !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), ids[0]) {
			t.Errorf("%s: got %v, want not found with the ID", name, err)
		}
	}
	debug, err := c.Debug(ctx, "/debug/decisions?trigger=a")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(debug.Body)
	if err := errors.Join(err, debug.Body.Close()); err != nil || string(text) != "/debug/decisions?trigger=a" {
		t.Errorf("debug: got %q, %v", text, err)
	}
	if requests != 1 {
		t.Error("replay of a missing dead letter was reported")
	}
	if err := errors.Join(c.Close(), stop()); err != nil {
		t.Error(err)
	}
	if _, err := socket.Dial(ctx, path); err == nil {
		t.Error("Dial succeeds after Serve has ended")
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket was not removed: %v", err)
	}
}

func TestClient_StoreError(t *testing.T) {
	s, path, ids, stop := serve(t, func() { t.Error("failed replay request was reported") })
	c, err := socket.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"replay": c.RequestReplay(t.Context(), ids[0]), "delete": c.Delete(t.Context(), ids[0])} {
		if err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s with a closed store: %v", name, err)
		}
	}
	if err := errors.Join(c.Close(), stop()); err != nil {
		t.Error(err)
	}
}

func TestListen_PathTooLong(t *testing.T) {
	if l, err := socket.Listen(t.Context(), filepath.Join(t.TempDir(), strings.Repeat("long", 40))); err == nil {
		t.Error("no error", l.Close())
	}
}
