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

// fakeTransport is a transport between a source and the API server. It reports when a
// watch is established, replaces responses and cuts streams.
type fakeTransport struct {
	next http.RoundTripper
	// opened receives the resourceVersion of each established watch.
	opened chan string
	// hold, if it is not nil, delays watch requests until it is closed.
	hold chan struct{}

	mu        sync.Mutex
	responses []cannedResponse // each used once
	streams   []*stream
	// skip is the number of requests before responses are used.
	skip     int
	streamed int // lists that are requested as streams
	pages    int // pages, except those with limit 1
	// wholes counts the requests for whole objects among watches and pages, except those with limit 1.
	wholes int
}

func (tr *fakeTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	streams := r.URL.Query().Get("sendInitialEvents") == "true"
	watching := r.URL.Query().Get("watch") == "true" && !streams
	if watching && tr.hold != nil {
		<-tr.hold
	}
	tr.mu.Lock()
	if limit := r.URL.Query().Get("limit"); limit != "" && limit != "1" || streams {
		tr.pages++
	}
	if streams {
		tr.streamed++
	}
	if r.Method == http.MethodGet && (watching || r.URL.Query().Has("limit") && r.URL.Query().Get("limit") != "1") && !strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadata") {
		tr.wholes++
	}
	for i, a := range tr.responses {
		if a.watching == watching && tr.skip > 0 && !watching {
			tr.skip--
			break
		}
		if a.watching == watching {
			tr.responses = slices.Delete(tr.responses, i, i+1)
			tr.mu.Unlock()
			if a.code == 0 {
				panic(a.body)
			}
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

// WrappedRoundTripper returns the wrapped transport to the client.
func (tr *fakeTransport) WrappedRoundTripper() http.RoundTripper { return tr.next }

// respondNext replaces the response of the API server to the next watch request, or to
// the next other request.
func (tr *fakeTransport) respondNext(watching bool, code int, body string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.responses = append(tr.responses, cannedResponse{watching, code, body})
}

// cutStreams lets all open streams fail with err.
func (tr *fakeTransport) cutStreams(err error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, s := range tr.streams {
		s.end(err)
	}
	tr.streams = nil
}

// listedPages returns the number of pages that were requested.
func (tr *fakeTransport) listedPages() int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.pages
}

// wholeRequests returns the number of requests for whole objects.
func (tr *fakeTransport) wholeRequests() int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.wholes
}

// cannedResponse is a response that replaces one of the API server.
type cannedResponse struct {
	watching bool
	code     int    // 0 panics with body
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
