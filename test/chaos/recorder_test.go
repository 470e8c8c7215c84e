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

// recordAction tells the recorder of the event.
const recordAction = `
import (
	"encoding/json"
	"vela/http"
)

tell: http.#HTTPDo & {
	$params: {
		method: "POST"
		url:    parameter.url
		request: {
			timeout: parameter.patience
			body: json.Marshal({
				trigger: context.trigger.name
				event:   context.event
				key:     context.data.metadata.name
			})
		}
	}
}

parameter: {
	url:      string
	patience: *"30s" | string
}
`

// report is one run of an action.
type report struct {
	Trigger string
	Event   struct{ ID, Type string }
	// Key is the name of the object.
	Key string
	at  time.Time
}

// behavior is called for each report after it was counted, and may keep the
// action waiting. False breaks the connection: the action fails.
type behavior func(req *http.Request, r report) bool

// recorder counts what actions do, apart from the API server's fate.
type recorder struct {
	URL    string
	behave behavior

	mu      sync.Mutex
	reports []report
	counts  map[string]int
}

// record starts a recorder, which ends with the trial.
func (t *trial) record() *recorder {
	t.Helper()
	return t.recordAs(func(*http.Request, report) bool { return true })
}

// recordAs starts one that behaves in its own way.
func (t *trial) recordAs(b behavior) *recorder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{URL: "http://" + l.Addr().String(), counts: map[string]int{}, behave: b}
	server := &http.Server{Handler: r, ReadHeaderTimeout: waitTimeout}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l) // until it is closed
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	return r
}

// ServeHTTP takes a report.
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
	if !r.behave(req, got) {
		panic(http.ErrAbortHandler)
	}
}

// all returns the reports so far, in their order.
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

// missing returns which of the events were not acted on.
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

// repeated returns how many reports there are beyond one for each event.
func (r *recorder) repeated() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.reports) - len(r.counts)
}

// settle waits until all events were acted on, or nothing comes any more, and
// then for what should not come. It returns those that are missing.
func (r *recorder) settle(t *trial, ids []string) []string {
	t.Helper()
	const quiet, linger = 40 * time.Second, time.Second
	last, since := r.total(), time.Now()
	for complete := false; ; {
		missing := r.missing(ids)
		if n := r.total(); n != last || len(missing) == 0 && !complete {
			last, since = n, time.Now()
		}
		complete = len(missing) == 0
		if complete && time.Since(since) > linger || time.Since(since) > quiet {
			return missing
		}
		time.Sleep(20 * time.Millisecond)
	}
}
