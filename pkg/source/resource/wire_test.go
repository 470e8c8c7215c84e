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

// fakeTransport stands between a source and the API server. It reports when a watch is
// established, and does to requests and streams what a bad network does.
type fakeTransport struct {
	next http.RoundTripper
	// opened receives the resourceVersion of every watch that is established.
	opened chan string

	mu        sync.Mutex
	responses []cannedResponse // in place of the API server, each once
	streams   []*stream
	pages     int // pages, without those of one object that ask where the server is
}

func (tr *fakeTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	watching := r.URL.Query().Get("watch") == "true"
	tr.mu.Lock()
	if limit := r.URL.Query().Get("limit"); limit != "" && limit != "1" {
		tr.pages++
	}
	for i, a := range tr.responses {
		if a.watching == watching {
			tr.responses = slices.Delete(tr.responses, i, i+1)
			tr.mu.Unlock()
			return &http.Response{StatusCode: a.code, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
		}
	}
	tr.mu.Unlock()
	response, err := tr.next.RoundTrip(r)
	if err == nil && watching && response.StatusCode == http.StatusOK {
		s := &stream{ReadCloser: response.Body}
		tr.mu.Lock()
		tr.streams = append(tr.streams, s)
		tr.mu.Unlock()
		response.Body = s
		tr.opened <- r.URL.Query().Get("resourceVersion")
	}
	return response, err
}

// WrappedRoundTripper lets the client find the transport that it wraps.
func (tr *fakeTransport) WrappedRoundTripper() http.RoundTripper { return tr.next }

// respondNext makes the wire answer the next request that is a watch, or is not,
// in place of the API server.
func (tr *fakeTransport) respondNext(watching bool, code int, body string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.responses = append(tr.responses, cannedResponse{watching, code, body})
}

// cutStreams ends the streams that are open: with io.EOF, or within an object.
func (tr *fakeTransport) cutStreams(err error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, s := range tr.streams {
		s.end(err)
	}
	tr.streams = nil
}

// listedPages returns how many pages were asked for.
func (tr *fakeTransport) listedPages() int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.pages
}

// cannedResponse is one that the API server did not give.
type cannedResponse struct {
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
