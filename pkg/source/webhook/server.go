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

	"github.com/kubevela/kube-trigger/pkg/source"
)

// shutdownGrace is how long calls that are being answered may take when the last
// webhook goes.
const shutdownGrace = 5 * time.Second

// Server listens for all webhooks of a process. It does so while there is one.
type Server struct {
	address string
	// largeBodies bounds the large bodies that are being read, decoding the calls that
	// were.
	largeBodies, decoders *semaphore.Weighted
	// connections counts those that are open.
	connections atomic.Int64

	mu     sync.Mutex
	routes map[string]*route
	// holding says that routes stay when their webhooks stop.
	holding bool
	// listener is nil while there are no routes.
	listener *listener
}

// route is a path and who answers.
type route struct {
	handler http.Handler
	owner   string
	// stopped says that its webhook has stopped. It still stores what it takes.
	stopped bool
	// inFlight are being answered.
	inFlight sync.WaitGroup
}

// listener is a listener and its server.
type listener struct {
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
		largeBodies: semaphore.NewWeighted(MaxLargeBodies), decoders: semaphore.NewWeighted(MaxConcurrentDecodes),
	}
}

// Addr returns the address that the server listens on, nil while it does not.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	return s.listener.addr
}

// register lets handler answer calls of path. It returns what tells that the server
// has failed, and what ends it: leave returns when no call is being answered.
// Where the webhook before has stopped, what it took is in the store when join
// returns.
func (s *Server) register(ctx context.Context, path, owner string, handler http.Handler) (l *listener, deregister func(), err error) {
	r := &route{handler: handler, owner: owner}
	l, before, err := s.replace(ctx, path, r)
	if err != nil {
		return nil, nil, err
	}
	if before != nil {
		before.inFlight.Wait()
	}
	return l, func() { s.deregister(ctx, path, r) }, nil
}

// replace puts r in the place of the webhook that has stopped, if there is one,
// which it returns.
func (s *Server) replace(ctx context.Context, path string, r *route) (l *listener, before *route, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before = s.routes[path]
	if before != nil && !before.stopped {
		return nil, nil, fmt.Errorf("path %s is taken by trigger %s", path, before.owner)
	}
	if s.listener == nil || s.listener.hasFailed() {
		l, err := s.listen(ctx)
		if err != nil {
			return nil, nil, err
		}
		s.listener = l
		logr.FromContextOrDiscard(ctx).Info("webhooks listen", "address", s.listener.addr.String())
	}
	s.routes[path] = r
	return s.listener, before, nil
}

func (s *Server) listen(ctx context.Context) (*listener, error) {
	var config net.ListenConfig
	socket, err := config.Listen(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	log := logr.FromContextOrDiscard(ctx)
	l := &listener{addr: socket.Addr(), failed: make(chan struct{}), server: &http.Server{
		Handler:           s,
		ReadHeaderTimeout: HeaderTimeout, ReadTimeout: ReadTimeout, WriteTimeout: WriteTimeout, IdleTimeout: IdleTimeout,
		MaxHeaderBytes: MaxHeaderBytes,
		ConnState:      s.trackConnection,
		ErrorLog:       slog.NewLogLogger(logr.ToSlogHandler(log.WithValues("server", "webhooks")), slog.LevelDebug),
	}}
	go func() {
		l.err = l.server.Serve(netutil.LimitListener(socket, MaxConnections))
		close(l.failed)
	}()
	return l, nil
}

// trackConnection implements http.Server.ConnState.
func (s *Server) trackConnection(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.connections.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.connections.Add(-1)
	}
}

// deregister takes the route back, and ends the server where it was the last; unless
// the server is held.
func (s *Server) deregister(ctx context.Context, path string, r *route) {
	s.mu.Lock()
	if s.holding {
		r.stopped = true
		s.mu.Unlock()
		return
	}
	s.removeRoutes(ctx, []string{path})
}

// HoldRoutes lets webhooks that stop go on to take calls into the store, until one that
// starts takes their place, Keep says that none will, or release is called. So
// no call is refused while one engine takes the place of another.
func (s *Server) HoldRoutes() (release func(ctx context.Context)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding = true
	return func(ctx context.Context) {
		s.mu.Lock()
		s.holding = false
		s.removeRoutes(ctx, s.stoppedPaths(nil))
	}
}

// PruneRoutes ends the webhooks that have stopped and are not among subscriptions.
func (s *Server) PruneRoutes(ctx context.Context, subscriptions []source.Subscription) {
	owners := map[string]string{}
	for _, sub := range subscriptions {
		if sub, ok := sub.(subscription); ok {
			owners[sub.path] = sub.trigger.String()
		}
	}
	s.mu.Lock()
	s.removeRoutes(ctx, s.stoppedPaths(owners))
}

// stoppedPaths returns the paths of webhooks that have stopped, but those of the
// triggers that kept has for them.
func (s *Server) stoppedPaths(owners map[string]string) []string {
	var paths []string
	for path, r := range s.routes {
		if r.stopped && owners[path] != r.owner {
			paths = append(paths, path)
		}
	}
	return paths
}

// removeRoutes takes routes back, ends the server where none is left, and returns when no
// call of theirs is being answered. It unlocks the server.
func (s *Server) removeRoutes(ctx context.Context, paths []string) {
	var removed []*route
	for _, path := range paths {
		removed = append(removed, s.routes[path])
		delete(s.routes, path)
	}
	var last *listener
	if len(s.routes) == 0 {
		last, s.listener = s.listener, nil
	}
	s.mu.Unlock()
	if last != nil {
		last.shutdown(ctx)
	}
	for _, r := range removed {
		r.inFlight.Wait()
	}
}

// hasFailed reports whether the server has ended by itself.
func (l *listener) hasFailed() bool {
	select {
	case <-l.failed:
		return true
	default:
		return false
	}
}

// shutdown ends the server, and returns when it has. Calls that are being answered get
// the grace although ctx has ended.
func (l *listener) shutdown(ctx context.Context) {
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
		route.inFlight.Add(1)
	}
	s.mu.Unlock()
	if route == nil {
		http.Error(w, "no webhook has this path", http.StatusNotFound)
		return
	}
	defer route.inFlight.Done()
	route.handler.ServeHTTP(w, r)
}
