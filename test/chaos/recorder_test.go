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

package chaos

import (
	"encoding/json"
	"net"
	"net/http"
	"sync"
	"time"
)

// recordAction reports the event to the recorder.
const recordAction = `
import (
	"encoding/json"
	"vela/http"
)

report: http.#HTTPDo & {
	$params: {
		method: "POST"
		url:    parameter.url
		request: {
			timeout: parameter.timeout
			body: json.Marshal({
				trigger: context.trigger.name
				event:   context.event
				key:     context.data.metadata.name
			})
		}
	}
}

parameter: {
	url:     string
	timeout: *"30s" | string
}
`

// report is the report of one action.
type report struct {
	Trigger string
	Event   struct{ ID, Type string }
	// Key is the name of the object.
	Key string
	// at is the time when the report arrived.
	at time.Time
}

// reportHandler is called for each report and may block. If it returns false, the
// connection is closed and the action fails.
type reportHandler func(req *http.Request, r report) bool

// recorder records the reports of actions. Reports also arrive while the API server is
// down. It is safe for concurrent use.
type recorder struct {
	URL    string
	handle reportHandler

	mu      sync.Mutex
	reports []report
	// counts holds the number of reports of each event, by its ID.
	counts map[string]int
}

// startRecorder starts a recorder. It stops at the end of the test.
func (t *harness) startRecorder() *recorder {
	t.Helper()
	return t.startRecorderWith(func(*http.Request, report) bool { return true })
}

// startRecorderWith starts a recorder that passes reports to h.
func (t *harness) startRecorderWith(h reportHandler) *recorder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{URL: "http://" + l.Addr().String(), counts: map[string]int{}, handle: h}
	server := &http.Server{Handler: r, ReadHeaderTimeout: waitTimeout}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	return r
}

// ServeHTTP records a report.
func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var got report
	if err := json.NewDecoder(req.Body).Decode(&got); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	got.at = time.Now()
	r.mu.Lock()
	r.reports = append(r.reports, got)
	r.counts[got.Event.ID]++
	r.mu.Unlock()
	if !r.handle(req, got) {
		panic(http.ErrAbortHandler)
	}
}

// all returns the reports in order.
func (r *recorder) all() []report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]report(nil), r.reports...)
}

// total returns the number of reports.
func (r *recorder) total() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.reports)
}

// missing returns the IDs of events without a report.
func (r *recorder) missing(ids []string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var missing []string
	for _, id := range ids {
		if r.counts[id] == 0 {
			missing = append(missing, id)
		}
	}
	return missing
}

// repeated returns the number of reports beyond the first of each event.
func (r *recorder) repeated() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.reports) - len(r.counts)
}

// waitForReports waits until all events are reported, and another second for
// unexpected reports, or until no report has arrived for waitTimeout. It returns the IDs of
// events without a report.
func (r *recorder) waitForReports(t *harness, ids []string) []string {
	t.Helper()
	const grace = time.Second
	last, since := r.total(), time.Now()
	for complete := false; ; {
		missing := r.missing(ids)
		if n := r.total(); n != last || len(missing) == 0 && !complete {
			last, since = n, time.Now()
		}
		complete = len(missing) == 0
		if complete && time.Since(since) > grace || time.Since(since) > waitTimeout {
			return missing
		}
		time.Sleep(20 * time.Millisecond)
	}
}
