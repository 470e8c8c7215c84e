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

// relay listens on apiServer in the network namespace of the process pid, and forwards
// connections to address until the test ends.
func relay(t testing.TB, pid int, address string) {
	t.Helper()
	l, err := listenIn(pid)
	if err != nil {
		t.Fatalf("relay to API server: %v", err)
	}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // l is closed
			}
			go proxy(client, address)
		}
	}()
	// Open connections end with the node's processes.
	t.Cleanup(func() { l.Close() })
}

// listenIn listens on apiServer in the network namespace of the process pid.
func listenIn(pid int) (net.Listener, error) {
	type result struct {
		net.Listener
		err error
	}
	listening := make(chan result)
	go func() {
		// The namespace applies to the thread. A locked thread ends with its goroutine.
		runtime.LockOSThread()
		var r result
		if r.err = setNetwork(pid); r.err == nil {
			r.Listener, r.err = net.Listen("tcp4", apiServer) //nolint:noctx // returns immediately
		}
		listening <- r
	}()
	r := <-listening
	return r.Listener, r.err
}

// setNetwork moves the calling thread to the network namespace of the process pid.
func setNetwork(pid int) error {
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return err
	}
	defer namespace.Close()
	return unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET)
}

// proxy connects to address, and copies bytes in both directions until one side closes its
// connection. It closes client.
func proxy(client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address) //nolint:noctx // loopback
	if err != nil {
		return
	}
	defer server.Close()
	done := make(chan struct{}, 2)
	transfer := func(dst, src net.Conn) {
		_, _ = io.Copy(dst, src) // fails if either side has closed its connection
		done <- struct{}{}
	}
	go transfer(server, client)
	go transfer(client, server)
	<-done
}
