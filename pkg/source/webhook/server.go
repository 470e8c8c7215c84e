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
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/semaphore"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/httpserver"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// gracePeriod limits the time that requests in flight get when the last route is
// removed.
const gracePeriod = 5 * time.Second

// Server is the HTTP server of all webhooks of a process. It listens while it has
// routes. It is safe for concurrent use.
type Server struct {
	// OnRejected is called for each rejected request, from any goroutine. It is set
	// before the first route is registered. Optional.
	OnRejected func(Rejection)

	address    string
	rejections *rejectionLog
	// largeBodies limits concurrent reads of large bodies; decoders limits
	// concurrent decodes.
	largeBodies, decoders *semaphore.Weighted
	// connections counts the open connections.
	connections atomic.Int64

	mu sync.Mutex
	// routes are the routes by routeKey of their paths.
	routes map[string]*route
	// holding keeps the routes of stopped webhooks.
	holding bool
	// listener is nil while there are no routes.
	listener *listener
	log      logr.Logger
}

// route maps a path to the handler of one trigger.
type route struct {
	handler http.Handler
	// owner is the trigger's namespace and name.
	owner string
	// stopped marks a route whose webhook has stopped. Its handler still stores
	// events.
	stopped bool
	// inFlight counts the requests that the handler serves.
	inFlight sync.WaitGroup
}

// routeKey returns what is equal for paths that differ in empty elements only: senders add
// slashes to the URL that they are given, and remove some.
func routeKey(path string) string {
	return "/" + strings.Join(strings.FieldsFunc(path, func(r rune) bool { return r == '/' }), "/")
}

// listener is a running HTTP server.
type listener struct {
	addr net.Addr
	// stop stops the server.
	stop func()
	// ended is closed when the server has ended; err is set before.
	ended chan struct{}
	err   error
}

// NewServer returns a server for address, such as ":8090". It listens from the
// first registered route on.
func NewServer(address string) *Server {
	return &Server{
		address: address, routes: map[string]*route{}, rejections: newRejectionLog(),
		largeBodies: semaphore.NewWeighted(MaxLargeBodies), decoders: semaphore.NewWeighted(MaxConcurrentDecodes),
	}
}

// Addr returns the address that the server listens on, or nil while it does not
// listen.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	return s.listener.addr
}

// register routes path to handler and starts the server if it does not listen. It
// replaces the route of a stopped webhook, and returns after the requests in flight
// of that route have ended. An error means that the path belongs to another trigger
// or that listening failed. deregister returns after the handler's requests in
// flight have ended.
func (s *Server) register(ctx context.Context, path, owner string, handler http.Handler) (l *listener, deregister func(), err error) {
	r := &route{handler: handler, owner: owner}
	l, old, err := s.replace(ctx, path, r)
	if err != nil {
		return nil, nil, err
	}
	if old != nil {
		old.inFlight.Wait()
	}
	return l, func() { s.deregister(path, r) }, nil
}

// replace stores r as the route of path, and returns the route that it replaces, or
// nil. Only routes of stopped webhooks are replaced.
func (s *Server) replace(ctx context.Context, path string, r *route) (l *listener, old *route, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old = s.routes[routeKey(path)]
	if old != nil && !old.stopped {
		return nil, nil, fmt.Errorf("path %s is already used by trigger %s", path, old.owner)
	}
	if s.listener == nil || s.listener.hasEnded() {
		l, err := s.listen(ctx)
		if err != nil {
			return nil, nil, err
		}
		s.listener, s.log = l, logr.FromContextOrDiscard(ctx)
		s.log.Info("webhook server listens", "address", s.listener.addr.String())
	}
	s.routes[routeKey(path)] = r
	return s.listener, old, nil
}

func (s *Server) listen(ctx context.Context) (*listener, error) {
	var config net.ListenConfig
	socket, err := config.Listen(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &listener{addr: socket.Addr(), stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(l.ended)
		l.err = httpserver.Serve(ctx, socket, httpserver.Options{
			Name: "webhooks", Handler: s, ConnState: s.trackConnection,
			HeaderTimeout: HeaderTimeout, ReadTimeout: ReadTimeout, WriteTimeout: WriteTimeout, IdleTimeout: IdleTimeout,
			MaxHeaderBytes: MaxHeaderBytes, MaxConnections: MaxConnections, GracePeriod: gracePeriod,
		})
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

// deregister removes the route, or marks it as stopped while the server holds routes.
func (s *Server) deregister(path string, r *route) {
	s.mu.Lock()
	if s.holding {
		r.stopped = true
		s.mu.Unlock()
		return
	}
	s.removeRoutes([]string{routeKey(path)})
}

// HoldRoutes keeps the routes of webhooks that stop, so that no request is rejected
// while one engine replaces another. The handlers of held routes store events; the
// next webhook of the same path delivers them. A held route ends when a webhook
// registers its path, when PruneRoutes removes it, or when release is called.
func (s *Server) HoldRoutes() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding = true
	return func() {
		s.mu.Lock()
		s.holding = false
		s.removeRoutes(s.stoppedRoutes(nil))
	}
}

// PruneRoutes removes the routes of stopped webhooks that are not among
// subscriptions.
func (s *Server) PruneRoutes(subscriptions []source.Subscription) {
	owners := map[string]string{}
	for _, sub := range subscriptions {
		if sub, ok := sub.(subscription); ok {
			owners[routeKey(sub.path)] = sub.trigger.String()
		}
	}
	s.mu.Lock()
	s.removeRoutes(s.stoppedRoutes(owners))
}

// stoppedRoutes returns the keys of the routes of stopped webhooks, except those whose
// owner is listed in owners, by key.
func (s *Server) stoppedRoutes(owners map[string]string) []string {
	var keys []string
	for key, r := range s.routes {
		if r.stopped && owners[key] != r.owner {
			keys = append(keys, key)
		}
	}
	return keys
}

// removeRoutes removes routes, and shuts the server down if none is left. It returns
// after their requests in flight have ended. The caller holds s.mu; removeRoutes
// unlocks it.
func (s *Server) removeRoutes(keys []string) {
	var removed []*route
	for _, key := range keys {
		removed = append(removed, s.routes[key])
		delete(s.routes, key)
	}
	var last *listener
	if len(s.routes) == 0 {
		last, s.listener = s.listener, nil
	}
	s.mu.Unlock()
	if last != nil {
		last.shutdown()
	}
	for _, r := range removed {
		r.inFlight.Wait()
	}
}

// hasEnded reports whether the server ended, which it does by itself if it fails.
func (l *listener) hasEnded() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// shutdown ends the server and waits for it. Requests in flight get gracePeriod.
func (l *listener) shutdown() {
	l.stop()
	<-l.ended
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.connections.Load() > MaxConnections/2 {
		// Idle connections must not keep new ones waiting.
		w.Header().Set("Connection", "close")
	}
	s.mu.Lock()
	route := s.routes[routeKey(r.URL.Path)]
	if route != nil {
		route.inFlight.Add(1)
	}
	log := s.log
	s.mu.Unlock()
	if route == nil {
		s.reject(log, r, Rejection{Status: http.StatusNotFound, Message: "no webhook has this path", Time: time.Now()}, nil)
		http.Error(w, "no webhook has this path", http.StatusNotFound)
		return
	}
	defer route.inFlight.Done()
	route.handler.ServeHTTP(w, r)
}

// reject logs and reports a rejected request. cause is set if the rejection is an error of
// this process.
func (s *Server) reject(log logr.Logger, r *http.Request, rejected Rejection, cause error) {
	rejected.Reason, rejected.Message = rejectionReason(rejected.Status), diag.Truncate(rejected.Message, maxRejectionMessage)
	s.rejections.add(log, r, rejected, cause)
	if s.OnRejected != nil {
		s.OnRejected(rejected)
	}
}
