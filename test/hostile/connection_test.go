//go:build hostile

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

package hostile

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// connectionAttacks hold connections to the ports that the kubelet probes and Prometheus scrapes.
func connectionAttacks() []attack {
	const hook = "triggers:\n- name: hook\n  source: {type: webhook, properties: {auth: none}}\n  action: {type: log}\n"
	return []attack{
		{
			name: "held-connections", what: "500 idle connections to each port of the controller, and of a worker, that is probed or scraped",
			run: func(ctx context.Context, t *tenant) {
				t.running(ctx, hook)
				controller, worker := t.installation.controllerPod(t.T), t.installation.worker(t.T, t.namespace)
				addresses := []string{controller.Address(8080), controller.Address(8081), worker.Address(8080)}
				t.connections(ctx, 500*len(addresses), func(n int) (address, text string) {
					return addresses[n%len(addresses)], "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
				})
			},
			check: func(ctx context.Context, t *tenant) error {
				if err := probe(ctx, t.installation.controllerPod(t.T).Address(8081)); err != nil {
					return err
				}
				return probe(ctx, t.installation.worker(t.T, t.namespace).Address(8080))
			},
		},
		{
			name: "large-headers", what: "1,000 connections to the metrics and health ports of the controller, each with headers of 1 MiB",
			run: func(ctx context.Context, t *tenant) {
				controller := t.installation.controllerPod(t.T)
				addresses := []string{controller.Address(8080), controller.Address(8081)}
				text := "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 1<<20)
				t.connections(ctx, 1000, func(n int) (string, string) { return addresses[n%len(addresses)], text })
			},
		},
	}
}

// connections keeps n connections open, each of which has sent a text to an address.
func (t *tenant) connections(ctx context.Context, n int, of func(n int) (address, text string)) {
	t.begin()
	// An address of its own, as a pod has.
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}, Timeout: time.Second}
	each(ctx, 1000*n, n, func(k int) {
		address, text := of(k)
		c, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			wait(ctx, 100*time.Millisecond)
			return
		}
		stop := context.AfterFunc(ctx, func() { _ = c.Close() })
		defer stop()
		defer c.Close()
		t.done.Add(1)
		if _, err := io.WriteString(c, text); err == nil {
			_, _ = io.Copy(io.Discard, c) // until it is closed
		}
		wait(ctx, 10*time.Millisecond)
	})
}

// probe returns an error unless /healthz answers 200 within the time that a kubelet waits.
func probe(ctx context.Context, address string) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", http.NoBody)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s/healthz: %s", address, response.Status)
	}
	return nil
}
