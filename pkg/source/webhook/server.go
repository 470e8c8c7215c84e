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

package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/semaphore"
)

// shutdownGrace is how long calls that are being answered may take when the last
// webhook goes.
const shutdownGrace = 5 * time.Second

// Server listens for all webhooks of a process. It does so while there is one.
type Server struct {
	address string
	// large bounds the large bodies that are being read, decoding the calls that
	// were.
	large, decoding *semaphore.Weighted
	// connections counts those that are open.
	connections atomic.Int64

	mu     sync.Mutex
	routes map[string]*route
	// listening is nil while there are no routes.
	listening *listening
}

// route is a path and who answers.
type route struct {
	handler http.Handler
	owner   string
	// calls are being answered.
	calls sync.WaitGroup
}

// listening is a listener and its server.
type listening struct {
	server *http.Server
	addr   net.Addr
	// failed is closed after err was set, when the server ended by itself.
	failed chan struct{}
	err    error
}

// NewServer returns a server that will listen on address, such as ":8090".
func NewServer(address string) *Server {
	return &Server{
		address: address, routes: map[string]*route{},
		large: semaphore.NewWeighted(MaxLarge), decoding: semaphore.NewWeighted(MaxDecoding),
	}
}

// Addr returns the address that the server listens on, nil while it does not.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listening == nil {
		return nil
	}
	return s.listening.addr
}

// join lets handler answer calls of path. It returns what tells that the server
// has failed, and what ends it: leave returns when no call is being answered.
func (s *Server) join(ctx context.Context, path, owner string, handler http.Handler) (l *listening, leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if other, taken := s.routes[path]; taken {
		return nil, nil, fmt.Errorf("path %s is taken by trigger %s", path, other.owner)
	}
	if s.listening == nil {
		if s.listening, err = s.listen(ctx); err != nil {
			return nil, nil, err
		}
		logr.FromContextOrDiscard(ctx).Info("webhooks listen", "address", s.listening.addr.String())
	}
	r := &route{handler: handler, owner: owner}
	s.routes[path] = r
	return s.listening, func() { s.leave(ctx, path, r) }, nil
}

func (s *Server) listen(ctx context.Context) (*listening, error) {
	var config net.ListenConfig
	socket, err := config.Listen(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	log := logr.FromContextOrDiscard(ctx)
	l := &listening{addr: socket.Addr(), failed: make(chan struct{}), server: &http.Server{
		Handler:           s,
		ReadHeaderTimeout: HeaderTimeout, ReadTimeout: ReadTimeout, WriteTimeout: WriteTimeout, IdleTimeout: IdleTimeout,
		MaxHeaderBytes: MaxHeaderBytes,
		ConnState:      s.count,
		ErrorLog:       slog.NewLogLogger(logr.ToSlogHandler(log.WithValues("server", "webhooks")), slog.LevelDebug),
	}}
	go func() {
		l.err = l.server.Serve(netutil.LimitListener(socket, MaxConnections))
		close(l.failed)
	}()
	return l, nil
}

// count implements http.Server.ConnState.
func (s *Server) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.connections.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.connections.Add(-1)
	}
}

// leave takes the route back, and ends the server where it was the last.
func (s *Server) leave(ctx context.Context, path string, r *route) {
	s.mu.Lock()
	delete(s.routes, path)
	var last *listening
	if len(s.routes) == 0 {
		last, s.listening = s.listening, nil
	}
	s.mu.Unlock()
	if last != nil {
		last.end(ctx)
	}
	r.calls.Wait()
}

// end ends the server, and returns when it has. Calls that are being answered get
// the grace although ctx has ended.
func (l *listening) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := l.server.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
		_ = l.server.Close()
	}
	<-l.failed
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.connections.Load() > MaxConnections/2 {
		// Else connections that nobody uses would keep others waiting.
		w.Header().Set("Connection", "close")
	}
	s.mu.Lock()
	route := s.routes[r.URL.Path]
	if route != nil {
		route.calls.Add(1)
	}
	s.mu.Unlock()
	if route == nil {
		http.Error(w, "no webhook has this path", http.StatusNotFound)
		return
	}
	defer route.calls.Done()
	route.handler.ServeHTTP(w, r)
}
