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

package egress_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/kubevela/kube-trigger/pkg/action/egress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeDNS returns the next of the pending addresses for each query of an IPv4 address.
type fakeDNS struct {
	t        *testing.T
	mu       sync.Mutex
	pending  []string
	answered []string
}

func (n *fakeDNS) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go n.serve(server)
		return client, nil
	}}
}

func (n *fakeDNS) serve(c net.Conn) {
	defer c.Close()
	for {
		size := make([]byte, 2) // as over TCP
		if _, err := io.ReadFull(c, size); err != nil {
			return
		}
		query := make([]byte, int(size[0])<<8|int(size[1]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		answer := n.answer(query)
		if _, err := c.Write(append([]byte{byte(len(answer) >> 8), byte(len(answer))}, answer...)); err != nil {
			return
		}
	}
}

func (n *fakeDNS) answer(query []byte) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		n.t.Error(err)
	}
	m.Response, m.Additionals = true, nil
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		n.mu.Lock()
		addr := n.pending[0]
		if len(n.pending) > 1 {
			n.pending = n.pending[1:]
		}
		n.answered = append(n.answered, addr)
		n.mu.Unlock()
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
			Body:   &dnsmessage.AResource{A: netip.MustParseAddr(addr).As4()},
		}}
	}
	b, err := m.Pack()
	if err != nil {
		n.t.Error(err)
	}
	return b
}

// loopback allows only the loopback address of test servers.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

func get(t *testing.T, c *egress.Client, url string, sameHost egress.SameHostOnly) (*egress.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return c.Do(req, nil, sameHost)
}

func isDenied(err error) bool {
	var denied *egress.DeniedAddressError
	return errors.As(err, &denied)
}

// TestClient_DNSRebinding denies a host name after its address changes to a denied one.
func TestClient_DNSRebinding(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }))
	defer server.Close()
	n := &fakeDNS{t: t, pending: []string{"127.0.0.1", "169.254.169.254"}}
	c := egress.NewClient(egress.AddressPolicy{Allow: loopback, Resolver: n.resolver()})
	defer c.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	url := "http://rebinding.example:" + port
	if _, err := get(t, c, url, false); err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, c, url, false); !isDenied(err) {
		t.Errorf("got %v, want a DeniedAddressError", err)
	}
	if got := strings.Join(n.answered, " "); got != "127.0.0.1 169.254.169.254" {
		t.Errorf("resolved addresses are %s", got)
	}
}

// TestClient_DeniedAddresses denies requests and redirects to denied addresses.
func TestClient_DeniedAddresses(t *testing.T) {
	var to string
	reached := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached = reached || r.URL.Path == "/reached"
		http.Redirect(w, r, to, http.StatusFound)
	}))
	defer server.Close()
	closed := egress.NewClient(egress.AddressPolicy{})
	if _, err := get(t, closed, server.URL+"/reached", false); !isDenied(err) || reached {
		t.Errorf("got %v, reached: %v", err, reached)
	}
	open := egress.NewClient(egress.AddressPolicy{Allow: loopback})
	defer open.Close()
	for _, to = range []string{"http://169.254.169.254/latest/meta-data", "http://[::1]:1/", "http://127.0.0.2:1/", "http://[::ffff:169.254.169.254]/", "http://0.0.0.0:1/"} {
		if _, err := get(t, open, server.URL, false); !isDenied(err) {
			t.Errorf("redirect to %s: got %v, want a DeniedAddressError", to, err)
		}
	}
	if _, err := get(t, open, "ftp://203.0.113.1/", false); err == nil || !strings.Contains(err.Error(), "must begin with http") {
		t.Errorf("got %v", err)
	}
}

// TestClient_SameHostOnly does not redirect requests with secrets to another host.
func TestClient_SameHostOnly(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Referer") != "" {
			t.Error("the redirected request has a Referer header")
		}
	}))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		case "/home":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		}
	}))
	defer server.Close()
	c := egress.NewClient(egress.AddressPolicy{Allow: loopback})
	defer c.Close()
	for _, tc := range []struct {
		path     string
		sameHost egress.SameHostOnly
		want     string
	}{
		{"/away", false, ""},
		{"/home", true, ""},
		{"/away?token=hush", true, "redirect to another host"},
		{"/round?token=hush", false, "more than 5 redirects"},
	} {
		_, err := get(t, c, server.URL+tc.path, tc.sameHost)
		if (err == nil) != (tc.want == "") || err != nil && (!strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hush")) {
			t.Errorf("%s: got %v, want %q", tc.path, err, tc.want)
		}
	}
}

// TestClient_MaxBody reads response bodies of at most MaxBody bytes.
func TestClient_MaxBody(t *testing.T) {
	size := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), size))
	}))
	defer server.Close()
	c := egress.NewClient(egress.AddressPolicy{Allow: loopback})
	defer c.Close()
	size = egress.MaxBody
	if a, err := get(t, c, server.URL, false); err != nil || len(a.Body) != size || a.Status != http.StatusOK {
		t.Errorf("got %d bytes, %v", len(a.Body), err)
	}
	size++
	var tooLarge *egress.TooLargeError
	if _, err := get(t, c, server.URL, false); !errors.As(err, &tooLarge) {
		t.Errorf("got %v", err)
	}
}

// TestClient_Deadline ends requests with the context. The error omits the URL.
func TestClient_Deadline(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	c := egress.NewClient(egress.AddressPolicy{Allow: loopback})
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/hush", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	trust := server.Client().Transport.(*http.Transport).TLSClientConfig
	if _, err := c.Do(req, trust, false); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "hush") {
		t.Errorf("got %v", err)
	}
	var unknown *tls.CertificateVerificationError
	if _, err := get(t, c, server.URL, false); !errors.As(err, &unknown) {
		t.Errorf("got %v, want a certificate that is not trusted", err)
	}
}

// TestClient_Method: a redirect that would turn a POST into a GET without its body is not
// followed: the receiver would not get the event, and its answer, or that of a login page, would
// look like success (grafana/grafana#33591, MrZoller/vantage-point#49,
// google/trillian-examples#1123, anchore/k8s-inventory#100).
func TestClient_Method(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = append(got, r.Method+" "+r.URL.Path+" "+string(body))
		switch code, err := strconv.Atoi(r.URL.Path[1:]); {
		case r.URL.Path == "/answer":
			http.Redirect(w, r, "/there", http.StatusFound)
		case code == http.StatusSeeOther:
			http.Redirect(w, r, "/answer", code)
		case err == nil:
			http.Redirect(w, r, "/there", code)
		}
	}))
	defer server.Close()
	c := egress.NewClient(egress.AddressPolicy{Allow: loopback})
	defer c.Close()
	for _, tc := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"POST", "/301", 301, "POST /301 x"},
		{"POST", "/302", 302, "POST /302 x"},
		{"DELETE", "/302", 302, "DELETE /302 x"},
		{"POST", "/303", 200, "POST /303 x, GET /answer , GET /there "},
		{"POST", "/307", 200, "POST /307 x, POST /there x"},
		{"POST", "/308", 200, "POST /308 x, POST /there x"},
		{"GET", "/301", 200, "GET /301 x, GET /there "},
	} {
		got = nil
		req, err := http.NewRequestWithContext(t.Context(), tc.method, server.URL+tc.path, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req, nil, false)
		if err != nil || resp.Status != tc.status || strings.Join(got, ", ") != tc.want {
			t.Errorf("%s %s: got %v, %v after %q, want %d after %q", tc.method, tc.path, resp, err, got, tc.status, tc.want)
		}
	}
}
