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

package observe

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Process has the metrics of the process, in their own registry. It is safe for concurrent
// use.
type Process struct {
	registry        *prometheus.Registry
	names, renewals prometheus.Gauge
}

// NewProcess returns the metrics of this process.
func NewProcess() *Process {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
	}
	p := &Process{
		registry: prometheus.NewRegistry(),
		names:    gauge("field_names", "Field names in CUE's tables, which keep each name until the process ends."),
		renewals: gauge("renewals", "Processes that this one has replaced in turn, in its container, because CUE's tables of field names were full."),
	}
	p.registry.MustRegister(p.names, p.renewals, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return p
}

// SetNames sets the number of field names in CUE's tables, and the number of processes
// that this one has replaced in turn.
func (p *Process) SetNames(names, replaced int) {
	p.names.Set(float64(names))
	p.renewals.Set(float64(replaced))
}

// Handler serves the metrics of the process, and those that triggers returns at the time of
// the scrape.
func (p *Process) Handler(triggers func() prometheus.Gatherers) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		promhttp.HandlerFor(append(triggers(), p.registry), promhttp.HandlerOpts{Timeout: 10 * time.Second}).ServeHTTP(w, req)
	})
}
