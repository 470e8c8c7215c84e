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

// Package httpserver serves HTTP with limits for each connection and request.
package httpserver

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/net/netutil"
)

// Defaults of Options.
const (
	DefaultHeaderTimeout  = 5 * time.Second
	DefaultReadTimeout    = 10 * time.Second
	DefaultWriteTimeout   = 30 * time.Second
	DefaultIdleTimeout    = time.Minute
	DefaultMaxHeaderBytes = 16 << 10
	DefaultMaxConnections = 128
)

// Options configure a server.
type Options struct {
	// Name is the value of "server" in its log lines.
	Name    string
	Handler http.Handler
	// TLS is the configuration of a server with TLS; nil for one without.
	TLS *tls.Config
	// HeaderTimeout limits the time to read the headers, ReadTimeout to read the whole
	// request, WriteTimeout the time from the end of the headers to the end of the
	// response, and IdleTimeout the time that an idle connection stays open.
	HeaderTimeout, ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	// MaxHeaderBytes limits the size of the headers.
	MaxHeaderBytes int
	// MaxConnections limits the open connections. Others wait, unless ReplaceConnections is
	// set.
	MaxConnections int
	// ReplaceConnections has a connection above MaxConnections replace the oldest one of the
	// address that has most, if possible one without a running request. So one machine that
	// holds connections open does not keep others waiting, such as the probes of a kubelet.
	ReplaceConnections bool
	// GracePeriod is how long requests in flight may take when the server is stopped.
	// Defaults to 0.
	GracePeriod time.Duration
	// ConnState is that of http.Server; nil for none.
	ConnState func(net.Conn, http.ConnState)
}

// Serve serves on l until ctx ends, and closes l. It returns after the last request in
// flight has ended, or was cancelled at the end of the grace period; nil if ctx has
// ended. The contexts of requests do not end with ctx, but have its logger.
func Serve(ctx context.Context, l net.Listener, o Options) error {
	s, l := New(ctx, l, o)
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.GracePeriod)
		defer cancel()
		if err := s.Shutdown(shutdown); err != nil {
			_ = s.Close()
		}
	})
	var err error
	if o.TLS != nil {
		err = s.ServeTLS(l, "", "")
	} else {
		err = s.Serve(l)
	}
	if stop() || !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(err, s.Close())
	}
	<-stopped
	return nil
}

// New returns a server, and the listener with the limit of connections for it, to be served by
// the caller.
func New(ctx context.Context, l net.Listener, o Options) (*http.Server, net.Listener) {
	log := logr.FromContextOrDiscard(ctx)
	s := &http.Server{
		Handler:           o.Handler,
		TLSConfig:         o.TLS,
		ReadHeaderTimeout: cmp.Or(o.HeaderTimeout, DefaultHeaderTimeout),
		ReadTimeout:       cmp.Or(o.ReadTimeout, DefaultReadTimeout),
		WriteTimeout:      cmp.Or(o.WriteTimeout, DefaultWriteTimeout),
		IdleTimeout:       cmp.Or(o.IdleTimeout, DefaultIdleTimeout),
		MaxHeaderBytes:    cmp.Or(o.MaxHeaderBytes, DefaultMaxHeaderBytes),
		ConnState:         o.ConnState,
		BaseContext:       func(net.Listener) context.Context { return logr.NewContext(context.WithoutCancel(ctx), log) },
		ErrorLog:          slog.NewLogLogger(logr.ToSlogHandler(log.WithValues("server", o.Name)), slog.LevelDebug),
	}
	limit := cmp.Or(o.MaxConnections, DefaultMaxConnections)
	if o.ReplaceConnections {
		s.ConnContext, s.Handler = withConn, countRequests(o.Handler)
		return s, &replacingListener{Listener: l, max: limit}
	}
	return s, netutil.LimitListener(l, limit)
}
