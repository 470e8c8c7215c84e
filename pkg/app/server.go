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

package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/access"
	"github.com/kubevela/kube-trigger/pkg/httpserver"
	"github.com/kubevela/kube-trigger/pkg/observe"
)

// stuckAfter is how long an evaluation may exceed its deadline before /healthz
// fails: only a restart of the process ends it.
const stuckAfter = 30 * time.Second

// server serves the metrics, health and decisions of a process.
type server struct {
	// listener is nil if they are not served on an address.
	listener net.Listener
	// reviewer reviews the callers of /metrics; nil if everybody is answered.
	reviewer *access.Reviewer
	process  *observe.Process
	// ready is set while events are accepted although no engine may run.
	ready atomic.Bool

	mu sync.Mutex
	// monitors are those in use, in the order of their names.
	monitors []*monitor
}

// newServer returns a server that listens on the MetricsAddr of o, if there is one.
func newServer(ctx context.Context, o RunOptions) (*server, error) {
	addr := o.MetricsAddr
	s := &server{process: observe.NewProcess()}
	if addr == "" {
		return s, nil
	}
	if o.MetricsAuth {
		cfg, _, err := o.restConfig()
		if err != nil {
			return nil, fmt.Errorf("--metrics-auth: %w", err)
		}
		if s.reviewer, err = newReviewer(cfg, nil); err != nil {
			return nil, err
		}
	}
	l, err := listen(ctx, "--metrics-addr", addr)
	if err != nil {
		return nil, err
	}
	logr.FromContextOrDiscard(ctx).Info("serving metrics", "address", l.Addr().String())
	s.listener = l
	return s, nil
}

// listen listens on the address of a flag. Its errors name the flag.
func listen(ctx context.Context, flag, addr string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		host, _, _ := net.SplitHostPort(addr) // valid: it was listened on
		return nil, fmt.Errorf("%s %s: the port is in use; use another one, or %s %s for a free one, which is logged", flag, addr, flag, net.JoinHostPort(host, "0"))
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", flag, addr, err)
	}
	return l, nil
}

// newReviewer returns a reviewer with a client of its own. httpClient may be nil.
func newReviewer(cfg *rest.Config, httpClient *http.Client) (*access.Reviewer, error) {
	c, err := client.New(cfg, client.Options{HTTPClient: httpClient})
	if err != nil {
		return nil, fmt.Errorf("--metrics-auth: %w", err)
	}
	return access.NewReviewer(c, clock.RealClock{}), nil
}

// runWith calls run, and serves until it has returned.
func (s *server) runWith(ctx context.Context, run func(context.Context) error) error {
	if s.listener == nil {
		return run(ctx)
	}
	serveCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	served := make(chan error, 1)
	go func() {
		served <- httpserver.Serve(serveCtx, s.listener, httpserver.Options{
			Name: "metrics", Handler: s.handler(clock.RealClock{}), ReplaceConnections: true,
		})
	}()
	err := run(ctx)
	stop()
	if serveErr := <-served; serveErr != nil {
		err = errors.Join(err, fmt.Errorf("serve metrics: %w", serveErr))
	}
	return err
}

func (s *server) handler(c clock.PassiveClock) http.Handler {
	mux := http.NewServeMux()
	metrics := s.metrics()
	if s.reviewer != nil {
		metrics = s.reviewer.Handler(metrics)
	}
	mux.Handle("GET /metrics", metrics)
	mux.Handle("GET /debug/", localOnly(s.debugHandler(observe.DescribeError)))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		for _, m := range s.current() {
			for _, q := range m.Quarantines() {
				if q.Evaluation && c.Since(q.Since) > stuckAfter {
					http.Error(w, fmt.Sprintf("trigger %q: an evaluation of its CUE does not end", q.Trigger), http.StatusServiceUnavailable)
					return
				}
			}
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !s.ready.Load() && !slices.ContainsFunc(s.current(), (*monitor).Running) {
			http.Error(w, "no events are accepted", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}

// metrics returns the handler of the metrics.
func (s *server) metrics() http.Handler {
	return s.process.Handler(func() (all prometheus.Gatherers) {
		for _, m := range s.current() {
			all = append(all, m.metrics.Gatherer(m))
		}
		return all
	})
}

// debugHandler returns the handler of /debug/decisions and /debug/metrics, for callers that are
// known to be on this machine. describe returns the text of the errors of decisions.
func (s *server) debugHandler(describe func(error) string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /debug/decisions", observe.DecisionHandler(describe, func() (all []*observe.DecisionLog) {
		for _, m := range s.current() {
			all = append(all, m.decisions)
		}
		return all
	}))
	mux.Handle("GET /debug/metrics", s.metrics())
	return mux
}

// current returns the monitors in use.
func (s *server) current() []*monitor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.monitors)
}

// localOnly rejects requests that do not come from this machine, or from the loopback
// interface of the pod, as those of `kubectl port-forward` do. It checks the header
// Host, too: a web page could otherwise read the response under a name that resolves to
// 127.0.0.1. Proxies of service meshes use other loopback addresses for requests from
// outside.
func localOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		local := err == nil && isLocalhost(from.Addr().Unmap().String())
		if !local || host != "localhost" && !isLocalhost(strings.Trim(host, "[]")) {
			http.Error(w, "only for requests from localhost: use kubectl port-forward, and http://localhost", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func isLocalhost(addr string) bool { return addr == "127.0.0.1" || addr == "::1" }
