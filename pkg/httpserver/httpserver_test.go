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

package httpserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kubevela/kube-trigger/pkg/httpserver"
)

// TestMain ignores the connections that net/http closes half a second after a request that
// it refused.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// serve serves with o until stop is called, and returns its URL and result.
func serve(t *testing.T, o httpserver.Options) (url string, stop func(), ended chan error) {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	ended = make(chan error, 1)
	go func() { ended <- httpserver.Serve(ctx, l, o) }()
	return l.Addr().String(), stop, ended
}

func get(t *testing.T, address string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

// TestServe_GracePeriod stops the server while a request is in flight: it finishes
// within the grace period, and is cancelled after it.
func TestServe_GracePeriod(t *testing.T) {
	for name, grace := range map[string]time.Duration{"finished": time.Minute, "cancelled": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			started, finish, cancelled := make(chan struct{}), make(chan struct{}), make(chan struct{})
			address, stop, ended := serve(t, httpserver.Options{GracePeriod: grace, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(started)
				select {
				case <-finish:
					fmt.Fprint(w, "done")
				case <-r.Context().Done():
					close(cancelled)
				}
			})})
			type result struct {
				text string
				err  error
			}
			results := make(chan result, 1)
			go func() {
				text, err := get(t, address)
				results <- result{text, err}
			}()
			<-started
			stop()
			if name == "finished" {
				close(finish)
				if r := <-results; r.err != nil || r.text != "done" {
					t.Errorf("response: %q, %v", r.text, r.err)
				}
			} else {
				<-cancelled
				if r := <-results; r.err == nil {
					t.Errorf("got a response %q, want an error", r.text)
				}
			}
			if err := <-ended; err != nil {
				t.Errorf("Serve: %v", err)
			}
			if _, err := get(t, address); err == nil {
				t.Error("the stopped server answers")
			}
		})
	}
}

func TestServe_HeaderLimit(t *testing.T) {
	address, _, _ := serve(t, httpserver.Options{MaxHeaderBytes: 1 << 10, Handler: http.NotFoundHandler()})
	var dialer net.Dialer
	c, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// net/http reads up to 4 KiB more than the limit.
	go fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", strings.Repeat("x", 8<<10))
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %s", response.Status)
	}
}

func TestServe_MaxConnections(t *testing.T) {
	states := make(chan http.ConnState, 10)
	address, _, _ := serve(t, httpserver.Options{MaxConnections: 1, Handler: http.NotFoundHandler(), ConnState: func(_ net.Conn, s http.ConnState) {
		states <- s
	}})
	var dialer net.Dialer
	first, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if s := <-states; s != http.StateNew {
		t.Fatalf("state %s, want new", s)
	}
	answered := make(chan error, 1)
	go func() {
		_, err := get(t, address)
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Fatalf("a second connection was served: %v", err)
	case s := <-states:
		t.Fatalf("a second connection was accepted: %s", s)
	case <-time.After(100 * time.Millisecond):
	}
	first.Close()
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// TestServe_Failure returns the error of a listener that fails.
func TestServe_Failure(t *testing.T) {
	failed := errors.New("failed")
	if err := httpserver.Serve(t.Context(), brokenListener{failed}, httpserver.Options{}); !errors.Is(err, failed) {
		t.Errorf("got %v, want %v", err, failed)
	}
}

type brokenListener struct{ err error }

func (l brokenListener) Accept() (net.Conn, error) { return nil, l.err }
func (brokenListener) Close() error                { return nil }
func (brokenListener) Addr() net.Addr              { return &net.TCPAddr{} }
