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

// Package socket gives other processes of the same user access to the dead letters of
// an open store, and to what the process reports about itself. The process that has the store open serves them on a Unix socket.
package socket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"

	"github.com/kubevela/kube-trigger/pkg/httpserver"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

// deadLetterJSON is a dead letter in a response, in the stored form.
type deadLetterJSON struct {
	Head json.RawMessage `json:"head"`
	// Event is the complete event; absent in a list.
	Event json.RawMessage `json:"event,omitempty"`
}

type listJSON struct {
	DeadLetters []deadLetterJSON `json:"deadLetters"`
	Dropped     uint64           `json:"dropped"`
}

type errorJSON struct {
	Error string `json:"error"`
}

// Listen listens on a Unix socket at path, to which only this user can connect. An
// existing file is removed: while this process has the store open, it is a stale
// socket.
func Listen(ctx context.Context, path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listen for dead-letter requests: %w", err)
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for dead-letter requests: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("listen for dead-letter requests: %w", err), l.Close())
	}
	return l, nil
}

// Serve serves deadLetters, and debug below /debug/, on l until ctx ends, and closes l. It
// calls onReplayRequest after each request of a replay.
func Serve(ctx context.Context, l net.Listener, debug http.Handler, deadLetters store.DeadLetterAdmin, onReplayRequest func()) error {
	if err := httpserver.Serve(ctx, l, httpserver.Options{Name: "dead letters", Handler: handler(debug, deadLetters, onReplayRequest)}); err != nil {
		return fmt.Errorf("serve dead letters: %w", err)
	}
	return nil
}

func handler(debug http.Handler, deadLetters store.DeadLetterAdmin, onReplayRequest func()) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /debug/", debug)
	handle := func(pattern string, f func(ctx context.Context, id string) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
			response, err := f(req.Context(), req.PathValue("id"))
			status := http.StatusOK
			switch {
			case errors.Is(err, store.ErrNotFound):
				response, status = errorJSON{err.Error()}, http.StatusNotFound
			case err != nil:
				response, status = errorJSON{err.Error()}, http.StatusInternalServerError
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(response)
		})
	}
	handle("GET /dead-letters", func(ctx context.Context, _ string) (any, error) { return list(ctx, deadLetters) })
	handle("GET /dead-letters/{id}", func(ctx context.Context, id string) (any, error) {
		l, err := deadLetters.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		return encode(l, true)
	})
	handle("DELETE /dead-letters/{id}", func(ctx context.Context, id string) (any, error) {
		return struct{}{}, deadLetters.Delete(ctx, id)
	})
	handle("POST /dead-letters/{id}/replay", func(ctx context.Context, id string) (any, error) {
		err := deadLetters.RequestReplay(ctx, id)
		if err == nil {
			onReplayRequest()
		}
		return struct{}{}, err
	})
	return mux
}

func list(ctx context.Context, deadLetters store.DeadLetterAdmin) (listJSON, error) {
	all, err := deadLetters.List(ctx)
	if err != nil {
		return listJSON{}, err
	}
	response := listJSON{Dropped: all.Dropped}
	for _, l := range all.Items {
		encoded, err := encode(l, false)
		if err != nil {
			return listJSON{}, err
		}
		response.DeadLetters = append(response.DeadLetters, encoded)
	}
	return response, nil
}

func encode(l store.DeadLetter, withEvent bool) (encoded deadLetterJSON, err error) {
	if encoded.Head, err = codec.EncodeDeadLetter(l); err == nil && withEvent {
		encoded.Event, err = codec.EncodeEvent(l.Event)
	}
	return encoded, err
}
