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
	"fmt"

	"golang.org/x/sys/unix"
)

// port is a reserved TCP port of 127.0.0.1. Its socket is bound, but does not listen: other
// processes do not get the port, except servers of the same user with SO_REUSEPORT.
type port struct {
	number int
	socket int
}

// reserve reserves a free port until release is called.
func reserve() (port, error) {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return port{}, fmt.Errorf("reserve port: %w", err)
	}
	unix.CloseOnExec(socket)
	p := port{socket: socket}
	err = unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	if err == nil {
		err = unix.Bind(socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	var bound unix.Sockaddr
	if err == nil {
		bound, err = unix.Getsockname(socket)
	}
	if err != nil {
		p.release()
		return port{}, fmt.Errorf("reserve port: %w", err)
	}
	p.number = bound.(*unix.SockaddrInet4).Port
	return p, nil
}

func (p port) release() { _ = unix.Close(p.socket) }

func (p port) url(scheme string) string { return fmt.Sprintf("%s://127.0.0.1:%d", scheme, p.number) }
