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

package resource_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// wire stands between a source and the API server. It reports when a watch is
// established, and does to requests and streams what a bad network does.
type wire struct {
	next http.RoundTripper
	// opened receives the resourceVersion of every watch that is established.
	opened chan string

	mu      sync.Mutex
	answers []answer // in place of the API server, each once
	streams []*stream
	listed  int // pages, without those of one object that ask where the server is
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	watching := r.URL.Query().Get("watch") == "true"
	w.mu.Lock()
	if limit := r.URL.Query().Get("limit"); limit != "" && limit != "1" {
		w.listed++
	}
	for i, a := range w.answers {
		if a.watching == watching {
			w.answers = slices.Delete(w.answers, i, i+1)
			w.mu.Unlock()
			return &http.Response{StatusCode: a.code, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
		}
	}
	w.mu.Unlock()
	response, err := w.next.RoundTrip(r)
	if err == nil && watching && response.StatusCode == http.StatusOK {
		s := &stream{ReadCloser: response.Body}
		w.mu.Lock()
		w.streams = append(w.streams, s)
		w.mu.Unlock()
		response.Body = s
		w.opened <- r.URL.Query().Get("resourceVersion")
	}
	return response, err
}

// WrappedRoundTripper lets the client find the transport that it wraps.
func (w *wire) WrappedRoundTripper() http.RoundTripper { return w.next }

// answer makes the wire answer the next request that is a watch, or is not,
// in place of the API server.
func (w *wire) answer(watching bool, code int, body string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers = append(w.answers, answer{watching, code, body})
}

// cut ends the streams that are open: with io.EOF, or within an object.
func (w *wire) cut(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.streams {
		s.end(err)
	}
	w.streams = nil
}

// lists returns how many pages were asked for.
func (w *wire) lists() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.listed
}

// answer is one that the API server did not give.
type answer struct {
	watching bool
	code     int
	body     string // JSON
}

// stream is a response body that can be cut.
type stream struct {
	io.ReadCloser
	mu  sync.Mutex
	err error
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	return n, err
}

func (s *stream) end(err error) {
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	s.ReadCloser.Close()
}
