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
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/kubevela/kube-trigger/pkg/action/egress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestCheck refuses the machine, its link and the metadata of clouds, in every way
// to write them, and nothing else.
func TestCheck(t *testing.T) {
	for addr, kind := range map[string]string{
		"127.0.0.1":                "loopback",
		"127.255.255.254":          "loopback",
		"::1":                      "loopback",
		"::ffff:127.0.0.1":         "loopback",
		"64:ff9b::7f00:1":          "loopback",
		"64:ff9b:1::7f00:1":        "loopback",
		"2002:7f00:1::":            "loopback",
		"::127.0.0.1":              "loopback",
		"0.0.0.0":                  "unspecified",
		"0.1.2.3":                  "unspecified",
		"::":                       "unspecified",
		"169.254.0.1":              "link-local",
		"fe80::1":                  "link-local",
		"fe80::1%eth0":             "link-local",
		"169.254.169.254":          "metadata",
		"::ffff:169.254.169.254":   "metadata",
		"64:ff9b::a9fe:a9fe":       "metadata",
		"fd00:ec2::254":            "metadata",
		"100.100.100.200":          "metadata",
		"168.63.129.16":            "metadata",
		"192.0.0.192":              "metadata",
		"224.0.0.1":                "multicast",
		"ff02::1":                  "multicast",
		"255.255.255.255":          "broadcast",
		"10.0.0.1":                 "",
		"192.168.1.1":              "",
		"fd00::1":                  "",
		"203.0.113.1":              "",
		"2001:db8::1":              "",
		"64:ff9b::203.0.113.1":     "",
		"169.255.0.1":              "",
		"2002:cb00:7101::1":        "",
		"::ffff:203.0.113.1":       "",
		"100.100.100.201":          "",
		"fd00:ec2::255":            "",
		"64:ff9b:1:1::203.0.113.1": "",
	} {
		err := egress.AddressPolicy{}.Check(netip.MustParseAddr(addr))
		if (err != nil) != (kind != "") || err != nil && !strings.Contains(err.Error(), kind) {
			t.Errorf("%s: got %v, want %q", addr, err, kind)
		}
	}
}

func TestParseAllow(t *testing.T) {
	allow, err := egress.ParseAllow([]string{"127.0.0.1", " ::ffff:169.254.169.254", "fe80::/10"})
	if err != nil {
		t.Fatal(err)
	}
	g := egress.AddressPolicy{Allow: allow}
	for addr, allowed := range map[string]bool{"127.0.0.1": true, "127.0.0.2": false, "169.254.169.254": true, "fe80::1": true, "::1": false} {
		if err := g.Check(netip.MustParseAddr(addr)); (err == nil) != allowed {
			t.Errorf("%s: %v", addr, err)
		}
	}
	for _, wrong := range []string{"", "localhost", "10.0.0.0/33"} {
		if _, err := egress.ParseAllow([]string{wrong}); err == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
}

// fakeDNS answers every question for an IPv4 address with the next of its addresses.
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

// loopback allows the loopback address that servers of tests listen on, alone.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

func get(t *testing.T, c *egress.Client, url string, confined egress.SameHostOnly) (*egress.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return c.Do(req, nil, confined)
}

func isDenied(err error) bool {
	var refused *egress.DeniedAddressError
	return errors.As(err, &refused)
}

// TestRebinding connects to a name while it is that of a harmless address, and
// refuses once its name server says otherwise.
func TestRebinding(t *testing.T) {
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
		t.Errorf("got %v, want a refusal", err)
	}
	if got := strings.Join(n.answered, " "); got != "127.0.0.1 169.254.169.254" {
		t.Errorf("the name was %s", got)
	}
}

// TestRefused refuses addresses themselves, and redirects to them.
func TestRefused(t *testing.T) {
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
			t.Errorf("a redirect to %s: got %v, want a refusal", to, err)
		}
	}
	if _, err := get(t, open, "ftp://203.0.113.1/", false); err == nil || !strings.Contains(err.Error(), "must begin with http") {
		t.Errorf("got %v", err)
	}
}

// TestConfined keeps a request that carries a secret with its host.
func TestConfined(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Referer") != "" {
			t.Error("the other host is told the URL")
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
		confined egress.SameHostOnly
		want     string
	}{
		{"/away", false, ""},
		{"/home", true, ""},
		{"/away?token=hush", true, "a redirect to another host"},
		{"/round?token=hush", false, "more than 5 redirects"},
	} {
		_, err := get(t, c, server.URL+tc.path, tc.confined)
		if (err == nil) != (tc.want == "") || err != nil && (!strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hush")) {
			t.Errorf("%s: got %v, want %q", tc.path, err, tc.want)
		}
	}
}

// TestAnswer reads answers up to the limit, and not beyond.
func TestAnswer(t *testing.T) {
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

// TestDeadline ends with the caller's context, and does not name the URL.
func TestDeadline(t *testing.T) {
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
