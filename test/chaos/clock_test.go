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
	"bytes"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// skewed is scenario 15.
func skewed() scenario {
	return scenario{
		name: "15-clock-off",
		claim: "the worker's clock is off by ±10 minutes: one action for each create before, during and after its start " +
			"(a proxy shifts the timestamps that the API server sends)",
		run: func(t *harness) {
			const maxSkew = 10 * time.Minute
			n := t.size(30, 300)
			for _, skew := range []time.Duration{maxSkew, -maxSkew} {
				o, r := t.objects(), t.startRecorder()
				p := t.proxy(o.cluster)
				m := &timestampShifter{offset: skew, pattern: regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"`)}
				p.inject(m.handle)
				t.forEach(n, o.create)
				i := t.install(p.Kubeconfig, o.config(r, "create"))
				i.startWatching().terminate()
				if r.total() > 0 {
					t.Errorf("clock off by %s: %d actions for objects that existed before, want 0", skew, r.total())
				}
				o.reset()
				t.forEach(n, func(i int) error { return o.create(n + i) })
				w := i.start()
				t.forEach(n, func(i int) error { return o.create(2*n + i) })
				w.waitForLog(`"msg":"watching"`)
				t.forEach(n, func(i int) error { return o.create(3*n + i) })
				missing := r.waitForReports(t, o.written())
				if len(missing) > 0 || r.total() != 3*n {
					t.Errorf("clock off by %s: %d actions for %d creates, none for %q", skew, r.total(), 3*n, missing)
				}
				if m.count.Load() == 0 {
					t.Errorf("clock off by %s: no timestamp was shifted", skew)
				}
				w.terminate()
				t.figure("%+.0f min: %d created before, while and after the worker started, %d lost, %d repeated, %d timestamps shifted",
					skew.Minutes(), 3*n, len(missing), r.repeated(), m.count.Load())
			}
		},
	}
}

// timestampShifter shifts the timestamps in responses about ConfigMaps.
type timestampShifter struct {
	offset  time.Duration
	pattern *regexp.Regexp
	count   atomic.Int64
}

func (m *timestampShifter) handle(w http.ResponseWriter, req *http.Request, forward http.Handler) bool {
	if !strings.Contains(req.URL.Path, "/configmaps") {
		return false
	}
	req.Header.Del("Accept-Encoding") // timestamps in compressed responses cannot be shifted
	req.Header.Set("Accept", "application/json")
	forward.ServeHTTP(&shiftedLines{ResponseWriter: w, timestampShifter: m}, req)
	return true
}

// shiftedLines shifts the timestamps of a response line by line.
type shiftedLines struct {
	http.ResponseWriter
	*timestampShifter
	// buffer holds the beginning of an incomplete line.
	buffer []byte
}

// Unwrap is used by http.ResponseController.
func (l *shiftedLines) Unwrap() http.ResponseWriter { return l.ResponseWriter }

// WriteHeader keeps the Content-Length: shifted timestamps have the same length.
func (l *shiftedLines) WriteHeader(code int) {
	if date, err := http.ParseTime(l.Header().Get("Date")); err == nil {
		l.Header().Set("Date", date.Add(l.offset).Format(http.TimeFormat))
	}
	l.ResponseWriter.WriteHeader(code)
}

// Write shifts complete lines. The API server ends lists with a newline too.
func (l *shiftedLines) Write(data []byte) (int, error) {
	l.buffer = append(l.buffer, data...)
	end := bytes.LastIndexByte(l.buffer, '\n') + 1
	shifted := l.pattern.ReplaceAllFunc(l.buffer[:end], func(text []byte) []byte {
		timestamp, err := time.Parse(`"`+time.RFC3339Nano+`"`, string(text))
		if err != nil {
			return text
		}
		l.count.Add(1)
		layout := time.RFC3339
		if bytes.ContainsRune(text, '.') {
			layout = "2006-01-02T15:04:05.000000Z07:00"
		}
		return []byte(timestamp.Add(l.offset).Format(`"` + layout + `"`))
	})
	l.buffer = slices.Clone(l.buffer[end:])
	_, err := l.ResponseWriter.Write(shifted)
	return len(data), err
}
