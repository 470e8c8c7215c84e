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
		claim: "a proxy that cuts streams in mid-object, stalls, answers 410, 429, 500, repeats bookmarks, " +
			"200 seeded runs: 0 lost, 0 panics",
		run: func(t *trial) {
			runs := t.size(4, 200)
			var faults, changes, lost atomic.Int64
			// They do not disturb one another: each has a proxy of its own.
			t.Run("runs", func(group *testing.T) {
				for range runs {
					seed := t.random.Uint64()
					group.Run(fmt.Sprintf("seed-%d", seed), func(one *testing.T) {
						one.Parallel()
						f, c, l := t.with(one, seed).brokenRun(seed)
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

// brokenRun is one run, with faults of its own.
func (t *trial) brokenRun(seed uint64) (faults, changes, lost int) {
	const objects, steps, rate = 15, 60, 60
	o, r := t.objects(), t.record()
	p := t.proxy(o.cluster)
	b := &faultInjector{random: rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // it has to be repeatable
	p.inject(b.handle)
	i := t.install(p.Kubeconfig, o.config(r, "create, update, delete"))
	w := i.watching()
	b.on.Store(true)
	there := map[int]bool{}
	var deleted []string
	t.atRate(steps, rate, func(int) error {
		i := t.random.IntN(objects)
		switch {
		case !there[i]:
			there[i] = true
			return o.create(i)
		case t.random.IntN(4) == 0:
			delete(there, i)
			deleted = append(deleted, o.uidsOf(i, 1)...)
			return o.delete(i)
		}
		return o.update(i)
	})
	b.on.Store(false)
	missing := r.settle(t, o.final())
	// Objects that were created and deleted within the lost history are unknown.
	known := map[string]bool{}
	for _, a := range r.all() {
		known[uidOf(a.Event.ID)] = true
	}
	deleted = slices.DeleteFunc(deleted, func(uid string) bool { return !known[uid] })
	missing = append(missing, r.undeleted(t, deleted)...)
	if len(missing) > 0 {
		t.Errorf("run with seed %d: never acted on: %q", seed, missing)
	}
	w.terminate()
	return int(b.count.Load()), steps, len(missing)
}

// faultInjector answers wrongly what is asked about ConfigMaps, while it is on.
type faultInjector struct {
	on    atomic.Bool
	count atomic.Int64

	mu     sync.Mutex
	random *rand.Rand
}

// random returns a number from 0 to n-1; n-1 while the breaker is off.
func (b *faultInjector) intN(n int) int {
	if !b.on.Load() {
		return n - 1
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.random.IntN(n)
}

// handle is a fault.
func (b *faultInjector) handle(w http.ResponseWriter, req *http.Request, forward http.Handler) bool {
	if !strings.HasSuffix(req.URL.Path, "/configmaps") || req.Method != http.MethodGet {
		return false
	}
	b.count.Add(1)
	switch b.intN(20) {
	case 0, 1:
		refuse(w, http.StatusInternalServerError, "InternalError")
		return true
	case 2:
		refuse(w, http.StatusTooManyRequests, "TooManyRequests")
		return true
	case 3:
		panic(http.ErrAbortHandler)
	case 4, 5:
		if req.URL.Query().Get("watch") != "" {
			refuse(w, http.StatusGone, "Expired")
			return true
		}
	}
	b.count.Add(-1)
	if req.URL.Query().Get("watch") != "" {
		w = &brokenStream{ResponseWriter: w, breaker: b, gone: req.Context().Done()}
	}
	forward.ServeHTTP(w, req)
	return true
}

// brokenStream is the response to a watch, of which each line may break.
type brokenStream struct {
	http.ResponseWriter
	breaker *faultInjector
	gone    <-chan struct{}
	rest    []byte
}

var errBroken = errors.New("broken on purpose")

// Unwrap lets the proxy flush.
func (s *brokenStream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Write passes on whole lines.
func (s *brokenStream) Write(data []byte) (int, error) {
	s.rest = append(s.rest, data...)
	for {
		line, rest, ok := bytes.Cut(s.rest, []byte("\n"))
		if !ok {
			return len(data), nil
		}
		if err := s.line(append(slices.Clone(line), '\n')); err != nil {
			return 0, err
		}
		s.rest = rest
	}
}

func (s *brokenStream) line(line []byte) error {
	s.breaker.count.Add(1)
	switch s.breaker.intN(40) {
	case 0, 1: // cut in the middle
		_, err := s.ResponseWriter.Write(line[:len(line)/2])
		return errors.Join(errBroken, err, http.NewResponseController(s.ResponseWriter).Flush())
	case 2: // stall, then cut
		select {
		case <-s.gone:
		case <-time.After(500 * time.Millisecond):
		}
		return errBroken
	case 3: // the history is gone
		_, err := fmt.Fprintf(s.ResponseWriter, `{"type":"ERROR","object":%s}`+"\n", status(http.StatusGone, "Expired"))
		return errors.Join(errBroken, err, http.NewResponseController(s.ResponseWriter).Flush())
	case 4, 5, 6: // say several times how far the stream is
		_, text, _ := bytes.Cut(line, []byte(`"resourceVersion":"`))
		version, _, _ := bytes.Cut(text, []byte(`"`))
		_, err := s.ResponseWriter.Write(append(line, strings.Repeat(bookmark(string(version)), 3)...))
		return err
	}
	s.breaker.count.Add(-1)
	_, err := s.ResponseWriter.Write(line)
	return err
}
