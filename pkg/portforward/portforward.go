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

// Package portforward connects to ports of pods through the API server, as `kubectl
// port-forward` does, without a local port. The API server requires the right to create
// pods/portforward.
package portforward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport/spdy"
)

// protocol is the version of the port-forward protocol that kubelets speak.
const protocol = "portforward.k8s.io"

// Dialer connects to ports of pods. It is safe for concurrent use.
type Dialer struct {
	client rest.Interface
	config *rest.Config
}

// NewDialer returns a Dialer with the identity of cfg.
func NewDialer(cfg *rest.Config) (*Dialer, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.GroupVersion, cfg.APIPath = &corev1.SchemeGroupVersion, "/api"
	cfg.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	client, err := rest.RESTClientFor(cfg)
	return &Dialer{client: client, config: cfg}, err
}

// Dial connects to a port of a pod. The connection has no deadlines. A port on which nothing
// listens is the error of the first Read.
func (d *Dialer) Dial(ctx context.Context, pod types.NamespacedName, port int32) (net.Conn, error) {
	transport, upgrader, err := spdy.RoundTripperFor(d.config) // it is for one connection
	if err != nil {
		return nil, err
	}
	url := d.client.Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("portforward").URL()
	client := &http.Client{Transport: withContext{ctx, transport}}
	upgraded, _, err := spdy.NewDialer(upgrader, client, http.MethodPost, url).Dial(protocol)
	if err != nil {
		return nil, fmt.Errorf("port-forward to pod %s: %w", pod, err)
	}
	c := &conn{connection: upgraded, pod: pod, port: port, ended: make(chan struct{})}
	if err := c.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("port-forward to pod %s: %w", pod, err), upgraded.Close())
	}
	return c, nil
}

// withContext sends requests with a context.
type withContext struct {
	ctx context.Context
	http.RoundTripper
}

func (t withContext) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.RoundTripper.RoundTrip(r.WithContext(t.ctx))
}

// conn is one forwarded connection.
type conn struct {
	connection httpstream.Connection
	data       httpstream.Stream
	pod        types.NamespacedName
	port       int32
	// ended is closed when the stream of errors has ended. err is the kubelet's then.
	ended chan struct{}
	err   error
}

// open creates the streams of a connection: one of errors, and one of data.
func (c *conn) open() error {
	headers := http.Header{}
	headers.Set(corev1.PortHeader, strconv.Itoa(int(c.port)))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	errorStream, err := c.connection.CreateStream(headers)
	if err != nil {
		return err
	}
	if err := errorStream.Close(); err != nil { // nothing is written to it
		return err
	}
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	if c.data, err = c.connection.CreateStream(headers); err != nil {
		return err
	}
	go func() {
		defer close(c.ended)
		if text, _ := io.ReadAll(io.LimitReader(errorStream, maxError)); len(text) > 0 {
			c.err = errors.New(string(text))
		}
	}()
	return nil
}

// maxError is the maximum length of an error that a kubelet reports, in bytes.
const maxError = 4096

// Read implements net.Conn. If the stream ends because the kubelet has failed, it returns that
// error: the kubelet ends the stream of errors first.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.data.Read(p)
	if errors.Is(err, io.EOF) {
		if <-c.ended; c.err != nil {
			err = fmt.Errorf("port %d of pod %s: %w", c.port, c.pod, c.err)
		}
	}
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) { return c.data.Write(p) }

// Close implements net.Conn.
func (c *conn) Close() error { return c.connection.Close() }

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return address("localhost") }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return address(fmt.Sprintf("%s:%d", c.pod, c.port)) }

// SetDeadline implements net.Conn. It has no effect, like the other deadlines: the context of
// a request ends it by Close.
func (*conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (*conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (*conn) SetWriteDeadline(time.Time) error { return nil }

// address is the name of an end of a connection.
type address string

func (address) Network() string  { return "portforward" }
func (a address) String() string { return string(a) }
