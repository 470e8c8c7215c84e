//go:build linux

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

package node

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// relay forwards connections from the network namespace of a process to the API server at
// the address to, until the test ends.
func relay(t testing.TB, pid int, to string) {
	t.Helper()
	l, err := listenIn(pid)
	if err != nil {
		t.Fatalf("relay to API server: %v", err)
	}
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return // closed
			}
			go proxy(from, to)
		}
	}()
	// Connections end with the node.
	t.Cleanup(func() { l.Close() })
}

// listenIn listens in the network namespace of a process.
func listenIn(pid int) (net.Listener, error) {
	type result struct {
		net.Listener
		err error
	}
	listening := make(chan result)
	go func() {
		// The thread stays in the namespace, and ends with this goroutine.
		runtime.LockOSThread()
		var r result
		if r.err = enter(pid); r.err == nil {
			r.Listener, r.err = net.Listen("tcp4", apiServer) //nolint:noctx // returns immediately
		}
		listening <- r
	}()
	r := <-listening
	return r.Listener, r.err
}

func enter(pid int) error {
	network, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return err
	}
	defer network.Close()
	return unix.Setns(int(network.Fd()), unix.CLONE_NEWNET)
}

// proxy copies bytes in both directions until one side closes.
func proxy(from net.Conn, to string) {
	defer from.Close()
	server, err := net.Dial("tcp", to) //nolint:noctx // loopback
	if err != nil {
		return // the client's connection is closed
	}
	defer server.Close()
	ended := make(chan struct{}, 2)
	pass := func(a, b net.Conn) {
		_, _ = io.Copy(a, b) // either side may close it
		ended <- struct{}{}
	}
	go pass(server, from)
	go pass(from, server)
	<-ended
}
