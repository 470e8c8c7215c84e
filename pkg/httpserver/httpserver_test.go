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
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
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
	return getWith(t, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, address, nil)
}

// getWith is get with a client. trace may be nil.
func getWith(t *testing.T, client *http.Client, address string, trace *httptrace.ClientTrace) (string, error) {
	t.Helper()
	ctx := t.Context()
	if trace != nil {
		ctx = httptrace.WithClientTrace(ctx, trace)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
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

// TestServe_ReplaceConnections: connections that one machine holds open keep neither others nor
// their requests from being answered, such as the probes of a kubelet, which otherwise restarts
// the pod: openshift/origin#12846, hiero-ledger/hiero-block-node#3168.
func TestServe_ReplaceConnections(t *testing.T) {
	started, finish := make(chan struct{}), make(chan struct{})
	address, _, _ := serve(t, httpserver.Options{MaxConnections: 3, ReplaceConnections: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(started)
			<-finish
		}
		fmt.Fprint(w, "answered")
	})})
	want := func(text string, err error) {
		t.Helper()
		if err != nil || text != "answered" {
			t.Errorf("got %q, %v, want an answer", text, err)
		}
	}
	// The probe's connection stays open. It is the oldest, and of another address.
	probe := &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).DialContext}}
	defer probe.CloseIdleConnections()
	want(getWith(t, probe, address, nil))
	var slow sync.WaitGroup
	slow.Go(func() { want(get(t, address+"/slow")) })
	<-started
	var dialer net.Dialer
	var held []net.Conn
	for range 20 {
		c, err := dialer.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		held = append(held, c)
	}
	want(get(t, address)) // when it is answered, the connections before are accepted
	if n, err := held[0].Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes from the oldest connection that is held, want it to be closed", n)
	}
	want(getWith(t, probe, address, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		if !c.Reused {
			t.Error("the probe's connection was closed")
		}
	}}))
	close(finish)
	slow.Wait()
}

// TestServe_ReplaceConnectionsTLS: requests of a server with TLS are counted, too: a connection
// with a running request is closed last.
func TestServe_ReplaceConnectionsTLS(t *testing.T) {
	pair := httptest.NewTLSServer(nil)
	defer pair.Close()
	started, finish := make(chan struct{}), make(chan struct{})
	address, _, _ := serve(t, httpserver.Options{
		MaxConnections: 2, ReplaceConnections: true, TLS: pair.TLS,
		Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			close(started)
			<-finish
		}),
	})
	answered := make(chan error, 1)
	go func() {
		response, err := pair.Client().Get("https://" + address)
		if err == nil {
			err = response.Body.Close()
		}
		answered <- err
	}()
	<-started
	for range 5 {
		c, err := tls.DialWithDialer(&net.Dialer{}, "tcp", address, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // a test's own server
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }() // it may have been replaced
	}
	close(finish)
	if err := <-answered; err != nil {
		t.Errorf("a running request: %v", err)
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
