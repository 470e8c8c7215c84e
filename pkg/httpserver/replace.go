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

package httpserver

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
)

// replacingListener accepts every connection, and keeps at most max open: see
// Options.ReplaceConnections.
type replacingListener struct {
	net.Listener
	max int

	mu sync.Mutex
	// open are the open connections, oldest first.
	open []*countedConn
}

// countedConn is an open connection of a replacingListener.
type countedConn struct {
	net.Conn
	listener *replacingListener
	from     netip.Prefix
	// requests is the number of its running requests.
	requests atomic.Int64
}

// Accept implements net.Listener.
func (l *replacingListener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &countedConn{Conn: accepted, listener: l, from: network(accepted.RemoteAddr())}
	if replaced := l.add(c); replaced != nil {
		_ = replaced.Close() // its client may have closed it
	}
	return c, nil
}

// add adds a connection, and returns the one to close in its place; nil for none.
func (l *replacingListener) add(c *countedConn) (replaced *countedConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = append(l.open, c)
	if len(l.open) <= l.max {
		return nil
	}
	count, most := map[netip.Prefix]int{}, 0
	for _, o := range l.open {
		count[o.from]++
		most = max(most, count[o.from])
	}
	for _, o := range l.open {
		switch {
		case count[o.from] < most:
		case o.requests.Load() == 0:
			return o
		case replaced == nil:
			replaced = o
		}
	}
	return replaced
}

// Close implements net.Conn.
func (c *countedConn) Close() error {
	l := c.listener
	l.mu.Lock()
	l.open = slices.DeleteFunc(l.open, func(o *countedConn) bool { return o == c })
	l.mu.Unlock()
	return c.Conn.Close()
}

// network returns the network of an address: the IPv4 address, or the IPv6 network of 64 bits,
// which one machine can have.
func network(a net.Addr) netip.Prefix {
	parsed, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Prefix{}
	}
	addr := parsed.Addr().Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits)
	return prefix
}

// connKey is the key of the *countedConn in the context of a request.
type connKey struct{}

// withConn is the ConnContext of a server of a replacingListener.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}

// countRequests counts the running requests of each connection.
func countRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*countedConn); ok {
			c.requests.Add(1)
			defer c.requests.Add(-1)
		}
		next.ServeHTTP(w, r)
	})
}
