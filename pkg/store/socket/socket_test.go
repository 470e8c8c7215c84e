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
	"io/fs"
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

// serve serves a store with some letters, and returns their IDs.
func serve(t *testing.T, asked func()) (s *file.Store, path string, ids []string, end func() error) {
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
		id, err := s.PutDeadLetter(t.Context(), store.DeadLetter{
			Trigger: event.TriggerRef{Name: "notify", Namespace: "default"}, Reason: "TerminalError", Error: "refused", Attempts: 1,
			Event: event.Event{Source: "webhook", Type: "post", Key: "a", ID: fmt.Sprint(i), Data: map[string]any{"n": int64(i), "x": nil}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	path = filepath.Join(dir, "store.sock")
	// What a process leaves that is killed.
	if err := os.WriteFile(path, nil, 0o666); err != nil { //nolint:gosec // as bad as it can be
		t.Fatal(err)
	}
	l, err := socket.Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- socket.Serve(ctx, l, s, asked) }()
	return s, path, ids, func() error {
		cancel()
		return <-ended
	}
}

func same[T any](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestClientSeesWhatTheStoreHas(t *testing.T) {
	ctx, asked := t.Context(), 0
	s, path, ids, end := serve(t, func() { asked++ })
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("path with %v, %v", info.Mode(), err)
	}
	c, err := socket.Dial(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	got, gotErr := c.ListDeadLetters(ctx)
	want, wantErr := s.ListDeadLetters(ctx)
	same(t, got, want)
	letter, letterErr := c.GetDeadLetter(ctx, ids[1])
	wanted, wantedErr := s.GetDeadLetter(ctx, ids[1])
	same(t, letter, wanted)
	if err := errors.Join(gotErr, wantErr, letterErr, wantedErr, c.RequestReplay(ctx, ids[2]), c.DeleteDeadLetter(ctx, ids[0])); err != nil {
		t.Fatal(err)
	}
	if ids, err := s.ReplayRequested(ctx); err != nil || asked != 1 || !slices.Equal(ids, []string{got.Items[2].ID}) {
		t.Errorf("asked for %v %d times, %v", ids, asked, err)
	}
	missing := ids[0] + "/../%2e?x"
	_, err = c.GetDeadLetter(ctx, ids[0])
	_, odd := c.GetDeadLetter(ctx, missing)
	for name, err := range map[string]error{
		"show": err, "show an odd ID": odd, "replay": c.RequestReplay(ctx, ids[0]), "delete": c.DeleteDeadLetter(ctx, ids[0]),
	} {
		if !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), ids[0]) {
			t.Errorf("%s what is not there: %v", name, err)
		}
	}
	if asked != 1 {
		t.Error("what is not there was asked for")
	}
	if err := errors.Join(c.Close(), end()); err != nil {
		t.Error(err)
	}
	if _, err := socket.Dial(ctx, path); err == nil {
		t.Error("answers after its end")
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the path is still there: %v", err)
	}
}

func TestClientHearsOfFailures(t *testing.T) {
	s, path, ids, end := serve(t, func() { t.Error("asked for a replay that failed") })
	c, err := socket.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"replay": c.RequestReplay(t.Context(), ids[0]), "delete": c.DeleteDeadLetter(t.Context(), ids[0])} {
		if err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s with a closed store: %v", name, err)
		}
	}
	if err := errors.Join(c.Close(), end()); err != nil {
		t.Error(err)
	}
}

func TestPathIsTooLong(t *testing.T) {
	if l, err := socket.Listen(t.Context(), filepath.Join(t.TempDir(), strings.Repeat("long", 40))); err == nil {
		t.Error("listens", l.Close())
	}
}
