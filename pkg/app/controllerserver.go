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
	"net/http"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/kubevela/kube-trigger/pkg/httpserver"
)

// probedManager is a manager whose health checks are served by addServer. The servers of
// controller-runtime limit neither their connections nor, below 1 MiB for each, the headers that
// they read.
type probedManager struct {
	ctrl.Manager
	health, ready healthz.Handler
}

// AddHealthzCheck implements ctrl.Manager. It must not be called after Start.
func (m *probedManager) AddHealthzCheck(name string, check healthz.Checker) error {
	m.health.Checks[name] = check
	return nil
}

// probes returns the handler of /healthz and /readyz.
func (m *probedManager) probes() http.Handler {
	mux := http.NewServeMux()
	for path, h := range map[string]http.Handler{"/healthz": &m.health, "/readyz": &m.ready} {
		mux.Handle(path, http.StripPrefix(path, h))
		mux.Handle(path+"/", http.StripPrefix(path, h)) // of a single check
	}
	return mux
}

// metricsHandler returns the handler of /metrics, which with MetricsAuth answers only those who
// may get it.
func (o ControllerOptions) metricsHandler(cfg *rest.Config, httpClient *http.Client) (http.Handler, error) {
	metrics := promhttp.HandlerFor(ctrlmetrics.Registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError})
	if o.MetricsAuth {
		reviewer, err := newReviewer(cfg, httpClient)
		if err != nil {
			return nil, err
		}
		metrics = reviewer.Handler(metrics)
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", metrics)
	return mux, nil
}

// addServer listens on the address of a flag, and has m serve h there. It does nothing if the
// address is "0" or empty.
func addServer(ctx context.Context, m ctrl.Manager, flag, addr string, h http.Handler) error {
	if addr == "0" || addr == "" {
		return nil
	}
	l, err := listen(ctx, flag, addr)
	if err != nil {
		return err
	}
	logr.FromContextOrDiscard(ctx).Info("serving", "flag", flag, "address", l.Addr().String())
	s, l := httpserver.New(ctx, l, httpserver.Options{Name: flag, Handler: h, ReplaceConnections: true})
	return m.Add(&manager.Server{Name: flag, Server: s, Listener: l}) // starts before the caches
}
