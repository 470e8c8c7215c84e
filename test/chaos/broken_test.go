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
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// brokenConnection is scenario 4.
func brokenConnection() scenario {
	return scenario{
		name: "04-broken-connection",
		claim: "a proxy cuts streams within an object, stalls, answers 410, 429 and 500, and repeats bookmarks, " +
			"200 seeded runs: 0 lost, 0 panics",
		run: func(t *harness) {
			runs := t.size(4, 200)
			var faults, changes, lost atomic.Int64
			// Runs are independent: each has its own proxy.
			t.Run("runs", func(group *testing.T) {
				for range runs {
					seed := t.random.Uint64()
					group.Run(fmt.Sprintf("seed-%d", seed), func(sub *testing.T) {
						sub.Parallel()
						f, c, l := t.subtest(sub, seed).brokenRun(seed)
						faults.Add(int64(f))
						changes.Add(int64(c))
						lost.Add(int64(l))
					})
				}
			})
			t.figure("%d runs, %d changes, %d faults, %d lost", runs, changes.Load(), faults.Load(), lost.Load())
		},
	}
}

// brokenRun is one run with its own faults. It returns the numbers of faults, changes,
// and events without an action.
func (t *harness) brokenRun(seed uint64) (faults, changes, lost int) {
	const objects, steps, rate = 15, 60, 60
	o, r := t.objects(), t.startRecorder()
	p := t.proxy(o.cluster)
	b := &faultInjector{random: rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // reproducible
	p.inject(b.handle)
	i := t.install(p.Kubeconfig, o.config(r, "create, update, delete"))
	w := i.startWatching()
	b.on.Store(true)
	exists := map[int]bool{}
	var deleted []string
	t.atRate(steps, rate, func(int) error {
		i := t.random.IntN(objects)
		switch {
		case !exists[i]:
			exists[i] = true
			return o.create(i)
		case t.random.IntN(4) == 0:
			delete(exists, i)
			deleted = append(deleted, o.uidsOf(i, 1)...)
			return o.delete(i)
		}
		return o.update(i)
	})
	b.on.Store(false)
	missing := r.waitForReports(t, o.final())
	// The worker cannot know objects that were created and deleted within the lost
	// history.
	known := map[string]bool{}
	for _, a := range r.all() {
		known[uidOf(a.Event.ID)] = true
	}
	deleted = slices.DeleteFunc(deleted, func(uid string) bool { return !known[uid] })
	missing = append(missing, r.waitForDeletes(t, deleted)...)
	if len(missing) > 0 {
		t.Errorf("seed %d: no action for %q", seed, missing)
	}
	w.terminate()
	return int(b.count.Load()), steps, len(missing)
}

// faultInjector injects faults into lists and watches of ConfigMaps while it is on.
type faultInjector struct {
	on atomic.Bool
	// count is the number of injected faults.
	count atomic.Int64

	mu     sync.Mutex
	random *rand.Rand
}

// intN returns a random number from 0 to n-1, and n-1 while the injector is off.
func (b *faultInjector) intN(n int) int {
	if !b.on.Load() {
		return n - 1
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.random.IntN(n)
}

// handle implements fault.
func (b *faultInjector) handle(w http.ResponseWriter, req *http.Request, forward http.Handler) bool {
	if !strings.HasSuffix(req.URL.Path, "/configmaps") || req.Method != http.MethodGet {
		return false
	}
	b.count.Add(1)
	switch b.intN(20) {
	case 0, 1:
		writeStatus(w, http.StatusInternalServerError, "InternalError")
		return true
	case 2:
		writeStatus(w, http.StatusTooManyRequests, "TooManyRequests")
		return true
	case 3:
		panic(http.ErrAbortHandler)
	case 4, 5:
		if req.URL.Query().Get("watch") != "" {
			writeStatus(w, http.StatusGone, "Expired")
			return true
		}
	}
	b.count.Add(-1)
	if req.URL.Query().Get("watch") != "" {
		w = &brokenStream{ResponseWriter: w, injector: b, closed: req.Context().Done()}
	}
	forward.ServeHTTP(w, req)
	return true
}

// brokenStream is the response to a watch, with faults in its lines.
type brokenStream struct {
	http.ResponseWriter
	injector *faultInjector
	// closed is closed when the client has closed the connection.
	closed <-chan struct{}
	// buffer holds the beginning of an incomplete line.
	buffer []byte
}

var errInjected = errors.New("injected fault")

// Unwrap is used by http.ResponseController.
func (s *brokenStream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Write forwards complete lines.
func (s *brokenStream) Write(data []byte) (int, error) {
	s.buffer = append(s.buffer, data...)
	for {
		line, after, ok := bytes.Cut(s.buffer, []byte("\n"))
		if !ok {
			return len(data), nil
		}
		if err := s.writeLine(append(slices.Clone(line), '\n')); err != nil {
			return 0, err
		}
		s.buffer = after
	}
}

// writeLine forwards one line, or injects a fault.
func (s *brokenStream) writeLine(line []byte) error {
	s.injector.count.Add(1)
	switch s.injector.intN(40) {
	case 0, 1: // cut in the middle
		_, err := s.ResponseWriter.Write(line[:len(line)/2])
		return errors.Join(errInjected, err, http.NewResponseController(s.ResponseWriter).Flush())
	case 2: // stall, then cut
		select {
		case <-s.closed:
		case <-time.After(500 * time.Millisecond):
		}
		return errInjected
	case 3: // the history is gone
		_, err := fmt.Fprintf(s.ResponseWriter, `{"type":"ERROR","object":%s}`+"\n", status(http.StatusGone, "Expired"))
		return errors.Join(errInjected, err, http.NewResponseController(s.ResponseWriter).Flush())
	case 4, 5, 6: // repeated bookmarks
		_, text, _ := bytes.Cut(line, []byte(`"resourceVersion":"`))
		version, _, _ := bytes.Cut(text, []byte(`"`))
		_, err := s.ResponseWriter.Write(append(line, strings.Repeat(bookmark(string(version)), 3)...))
		return err
	}
	s.injector.count.Add(-1)
	_, err := s.ResponseWriter.Write(line)
	return err
}
