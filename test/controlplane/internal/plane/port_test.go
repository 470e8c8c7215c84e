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

package plane

import (
	"errors"
	"net"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPort_Reserved(t *testing.T) {
	p, err := reserve()
	if err != nil {
		t.Fatal(err)
	}
	defer p.release()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(p.number))

	var exclusive net.ListenConfig
	if l, err := exclusive.Listen(t.Context(), "tcp", address); err == nil {
		t.Errorf("listen without SO_REUSEPORT: got %s, want an error", l.Addr())
		l.Close()
	}
	dialer := net.Dialer{}
	if conn, err := dialer.DialContext(t.Context(), "tcp", address); err == nil {
		t.Errorf("dial %s without a server: got a connection, want an error", address)
		conn.Close()
	}

	sharing := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var set error
		err := c.Control(func(fd uintptr) {
			set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		return errors.Join(err, set)
	}}
	for range 2 { // the second is a restarted server
		serveOnce(t, sharing, address)
	}
}

func serveOnce(t *testing.T, config net.ListenConfig, address string) {
	t.Helper()
	l, err := config.Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialer := net.Dialer{}
	// The kernel distributes connections over all listeners. Several connections detect a
	// listener that does not accept.
	for range 20 {
		conn, err := dialer.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
}
