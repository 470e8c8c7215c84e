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

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const exporterNamespace = "exporter"

// requests counts the requests that a server gets.
type requests struct {
	*httptest.Server
	mu   sync.Mutex
	n    int
	last time.Time
	done chan struct{} // closed at the request number want
	want int
}

func newRequests() *requests {
	r := &requests{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.n++
		r.last = time.Now()
		if r.n == r.want {
			close(r.done)
		}
	}))
	return r
}

// expect has the server wait for n requests.
func (r *requests) expect(n int) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n, r.want, r.done = 0, n, make(chan struct{})
	return r.done
}

// exporter measures the path from an Event of Kubernetes to a request, beside a program that does
// nothing else.
func exporter(ctx context.Context, out io.Writer, e *env, size size) error {
	if err := e.namespace(ctx, exporterNamespace); err != nil {
		return err
	}
	server := newRequests()
	defer server.Close()
	address, _, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		return err
	}
	programs := [2]program{
		e.trigger("events", func(namespace string) string {
			return fmt.Sprintf("triggers:\n  - source: {type: event, properties: {namespace: %q}}\n    action: {type: http-request, properties: {url: %q}}\n", namespace, server.URL)
		}, "--allow-address", address),
		e.programs()[1],
	}
	programs[1].args = func(kubeconfig, namespace string) ([]string, error) {
		return []string{"-kubeconfig", kubeconfig, "-namespace", namespace, "-post", server.URL}, nil
	}
	t := newTable(fmt.Sprintf("%d Events at once", size.burst), triggerProgram, handwrittenProgram, "ratio")
	var rates, cpus [2][]float64
	for round := range size.rounds {
		for turn := range programs {
			i := (turn + round) % len(programs)
			rate, cpu, err := e.exportBurst(ctx, programs[i], server, size.burst)
			if err != nil {
				return fmt.Errorf("%s: %w", programs[i].name, err)
			}
			rates[i], cpus[i] = append(rates[i], rate), append(cpus[i], cpu)
		}
	}
	t.row("requests a second", number(median(rates[0])), number(median(rates[1])), ratio(median(rates[0]), median(rates[1])))
	t.row("CPU per 1,000, s", number(median(cpus[0])), number(median(cpus[1])), ratio(median(cpus[0]), median(cpus[1])))
	_, err = fmt.Fprintf(out, "\n## From an Event to a request\n\nMedians of %d runs of each program, in turn.\n\n%s", size.rounds, t)
	return err
}

// exportBurst creates n Events with a new process of p, and returns the requests per second and the CPU
// time per 1,000, in seconds. Others warm it up.
func (e *env) exportBurst(ctx context.Context, p program, server *requests, n int) (rate, cpu float64, err error) {
	r, err := e.start(ctx, p, exporterNamespace)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	burst := func(n int) (time.Duration, error) {
		done, begin := server.expect(n), time.Now()
		err := forEach(ctx, n, writers, func(ctx context.Context, _ int) error { return e.event(ctx) })
		if err != nil {
			return 0, err
		}
		select {
		case <-done:
		case <-time.After(waitTimeout):
			return 0, fmt.Errorf("%d of %d requests", server.n, n)
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		return server.last.Sub(begin), nil
	}
	if _, err := burst(objects / 4); err != nil {
		return 0, 0, err
	}
	before, err := r.cpu()
	if err != nil {
		return 0, 0, err
	}
	took, err := burst(n)
	if err != nil {
		return 0, 0, err
	}
	after, err := r.cpu()
	return float64(n) / took.Seconds(), (after - before).Seconds() * 1000 / float64(n), err
}

// event creates an Event of Kubernetes.
func (e *env) event(ctx context.Context) error {
	n := e.edits.Add(1)
	_, err := e.client.EventsV1().Events(exporterNamespace).Create(ctx, &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("event-%d", n)}, EventTime: metav1.NowMicro(), Type: "Warning", Reason: "BackOff", Action: "Restarting",
		ReportingController: "bench", ReportingInstance: "bench", Note: "Back-off restarting failed container",
		Regarding: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: exporterNamespace, Name: fmt.Sprintf("pod-%d", n)},
	}, metav1.CreateOptions{})
	return err
}
