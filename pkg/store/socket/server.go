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

// Package remote gives the dead letters of a store to other processes of the same
// user, while the process that has the store open serves them on a Unix socket.
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
	"time"

	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

// deadLetterJSON is a letter as it is sent: what the records of a store hold.
type deadLetterJSON struct {
	Head json.RawMessage `json:"head"`
	// Event is the event with its data; absent in a list.
	Event json.RawMessage `json:"event,omitempty"`
}

type listJSON struct {
	DeadLetters []deadLetterJSON `json:"letters"`
	Dropped     uint64           `json:"dropped"`
}

type errorJSON struct {
	Error string `json:"error"`
}

// Listen returns a listener at path that only this user can connect to. A socket
// that is there is removed: nobody listens on it while the store next to it is
// this process's own.
func Listen(ctx context.Context, path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listen for requests about dead letters: %w", err)
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for requests about dead letters: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("listen for requests about dead letters: %w", err), l.Close())
	}
	return l, nil
}

// Serve answers requests about letters until ctx ends. It closes l. Each request
// for a replay is followed by a call of asked.
func Serve(ctx context.Context, l net.Listener, letters store.DeadLetterAdmin, onReplayRequest func()) error {
	s := &http.Server{
		Handler: handler(letters, onReplayRequest), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		_ = s.Close() // what it closes is in Serve's error
	})
	err := s.Serve(l)
	if stop() {
		return fmt.Errorf("serve dead letters: %w", err)
	}
	<-closed
	return nil
}

func handler(letters store.DeadLetterAdmin, onReplayRequest func()) http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(ctx context.Context, id string) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
			answer, err := f(req.Context(), req.PathValue("id"))
			status := http.StatusOK
			switch {
			case errors.Is(err, store.ErrNotFound):
				answer, status = errorJSON{err.Error()}, http.StatusNotFound
			case err != nil:
				answer, status = errorJSON{err.Error()}, http.StatusInternalServerError
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(answer) // whoever does not get it knows that
		})
	}
	handle("GET /letters", func(ctx context.Context, _ string) (any, error) { return list(ctx, letters) })
	handle("GET /letters/{id}", func(ctx context.Context, id string) (any, error) {
		l, err := letters.GetDeadLetter(ctx, id)
		if err != nil {
			return nil, err
		}
		return encode(l, true)
	})
	handle("DELETE /letters/{id}", func(ctx context.Context, id string) (any, error) {
		return struct{}{}, letters.DeleteDeadLetter(ctx, id)
	})
	handle("POST /letters/{id}/replay", func(ctx context.Context, id string) (any, error) {
		err := letters.RequestReplay(ctx, id)
		if err == nil {
			onReplayRequest()
		}
		return struct{}{}, err
	})
	return mux
}

func list(ctx context.Context, letters store.DeadLetterAdmin) (listJSON, error) {
	buried, err := letters.ListDeadLetters(ctx)
	if err != nil {
		return listJSON{}, err
	}
	answer := listJSON{Dropped: buried.Dropped}
	for _, l := range buried.Items {
		sent, err := encode(l, false)
		if err != nil {
			return listJSON{}, err
		}
		answer.DeadLetters = append(answer.DeadLetters, sent)
	}
	return answer, nil
}

func encode(l store.DeadLetter, whole bool) (sent deadLetterJSON, err error) {
	if sent.Head, err = codec.EncodeDeadLetter(l); err == nil && whole {
		sent.Event, err = codec.EncodeEvent(l.Event)
	}
	return sent, err
}
