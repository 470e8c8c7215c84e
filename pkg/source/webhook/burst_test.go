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

package webhook_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/kubevela/kube-trigger/pkg/source/webhook"
)

// maxGrowth limits the growth of a process's memory in a burst, in bytes.
const maxGrowth = 64 << 20

// burstResult is the result of many concurrent requests.
type burstResult struct {
	statuses       map[int]int
	growth, events int
	// before and resident are the resident set size before and after the burst.
	before, resident int
	duration         time.Duration
}

// runBurst sends concurrent requests without a Content-Length. Every tenth has a body
// that is too large.
func runBurst(t testing.TB, requests int) burstResult {
	t.Helper()
	p := spawn(t)
	large := bytes.Repeat([]byte(" "), webhook.MaxBodyBytes+1)
	small := fmt.Appendf(nil, `{"text":%q}`, bytes.Repeat([]byte("x"), 1000))
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 2 * webhook.MaxConnections, MaxIdleConnsPerHost: webhook.MaxConnections}}
	defer client.CloseIdleConnections()
	var (
		b       = burstResult{statuses: map[int]int{}, before: p.resident()}
		mu      sync.Mutex
		clients sync.WaitGroup
		start   = time.Now()
	)
	for n := range requests {
		clients.Go(func() {
			body := small
			if n%10 == 0 {
				body = large
			}
			status := post(t, client, p.url, body)
			mu.Lock()
			defer mu.Unlock()
			b.statuses[status]++
		})
	}
	clients.Wait()
	b.duration = time.Since(start)
	b.resident = p.resident()
	b.growth, b.events = p.shutdown(t)
	return b
}

// post returns the status of the response, or 0 without a response.
func post(t testing.TB, client *http.Client, url string, body []byte) int {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, io.NopCloser(bytes.NewReader(body)))
	if err != nil {
		t.Error(err)
		return 0
	}
	res, err := client.Do(req)
	if err != nil {
		t.Log(err)
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// check expects 90 % of the requests to be accepted and 10 % to be too large.
func (b burstResult) check(t testing.TB, requests int) {
	t.Helper()
	t.Logf("%d requests in %v: %v, %d events; memory grew by %d MiB; resident %d MiB, then %d MiB",
		requests, b.duration, b.statuses, b.events, b.growth>>20, b.before>>20, b.resident>>20)
	if b.statuses[http.StatusRequestEntityTooLarge] != requests/10 {
		t.Errorf("%d requests were too large, want %d", b.statuses[http.StatusRequestEntityTooLarge], requests/10)
	}
	if got, want := b.statuses[http.StatusAccepted], requests*9/10*99/100; got < want {
		t.Errorf("%d requests were accepted, want %d", got, want)
	}
	if b.growth > maxGrowth {
		t.Errorf("memory grew by %d MiB, want at most %d", b.growth>>20, maxGrowth>>20)
	}
}

// TestBurst sends 1,000 concurrent requests.
func TestBurst(t *testing.T) {
	const requests = 1000
	runBurst(t, requests).check(t, requests)
}

// BenchmarkBurst is TestBurst with 10,000 requests.
func BenchmarkBurst(b *testing.B) {
	const requests = 10_000
	for b.Loop() {
		result := runBurst(b, requests)
		result.check(b, requests)
		b.ReportMetric(float64(result.growth>>20), "MiB")
		b.ReportMetric(float64(result.resident-result.before)/(1<<20), "MiB-resident")
		b.ReportMetric(float64(result.statuses[http.StatusAccepted])/result.duration.Seconds(), "accepted/s")
	}
}

// BenchmarkSlowClients is TestSlowClients with 1,000 connections.
func BenchmarkSlowClients(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(runSlowConnections(b, 1000).Seconds(), "s")
	}
}

// slowConnections is the number of connections that TestSlowClients opens.
const slowConnections = 100

// TestSlowClients closes connections that do not send their headers or body, and serves
// others meanwhile.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	runSlowConnections(t, slowConnections)
}

// runSlowConnections returns the longest time that one of the connections was open.
func runSlowConnections(t testing.TB, connections int) time.Duration {
	t.Helper()
	w := serve(t, "auth: none")
	defer w.shutdown()
	closed := make(chan time.Duration, connections)
	for n := range connections {
		conn, err := net.Dial("tcp", w.server.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		text := "POST /n/t HTTP/1.1\r\nHost: x\r\n"
		if n%2 == 0 {
			text += "Content-Length: 1000\r\n\r\n{"
		}
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		go func() {
			defer conn.Close()
			_, _ = io.Copy(io.Discard, conn)
			closed <- time.Since(start)
		}()
	}
	w.expectStatus(http.StatusAccepted, request{body: `{}`})
	var longest time.Duration
	for range connections {
		longest = max(longest, <-closed)
	}
	t.Logf("%d slow connections closed within %v", connections, longest)
	if n := len(w.received()); n != 1 {
		t.Errorf("%d events", n)
	}
	return longest
}
