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

package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Serve is the child side of Child.Run: it limits this process, reads requests from in
// until its end, passes each to check and writes the result to out. On an error the
// process must exit with code 1.
func Serve[Request, Result any](in io.Reader, out io.Writer, check func(Request, *Steps) (Result, error)) error {
	if err := limitProcess(); err != nil {
		return err
	}
	decoder, progress := json.NewDecoder(in), &progress{out: json.NewEncoder(out)}
	go progress.watch()
	for {
		var t task
		if err := decoder.Decode(&t); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read request: %w", err)
		}
		if err := serve(t, progress, check); err != nil {
			return err
		}
	}
}

func serve[Request, Result any](t task, p *progress, check func(Request, *Steps) (Result, error)) error {
	var r Request
	if err := json.Unmarshal(t.Request, &r); err != nil {
		return fmt.Errorf("read request: %w", err)
	}
	steps := Steps{rejected: t.Rejected, stepTime: t.StepTime, progress: p}
	result, err := check(r, &steps)
	if err := errors.Join(err, steps.err); err != nil {
		return err
	}
	encoded, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return p.send(message{Result: encoded}, 0)
}

// Steps reports the progress of the child to its parent.
type Steps struct {
	rejected map[string]string
	stepTime time.Duration
	progress *progress
	err      error
}

// Begin starts the named step, and ends the previous one. If it returns a reason, the
// step exceeded a limit before and must be skipped.
func (s *Steps) Begin(step string) string {
	if reason, ok := s.rejected[step]; ok {
		return reason
	}
	s.err = errors.Join(s.err, s.progress.send(message{Step: step}, s.stepTime))
	return ""
}

// progress sends messages to the parent. It is safe for concurrent use.
type progress struct {
	mu   sync.Mutex
	out  *json.Encoder
	step string
	// end is the CPU time of this process at which the step must have ended; 0 for no
	// step.
	end time.Duration
}

// send sends m, which ends the previous step. A step has the given CPU time.
func (p *progress) send(m message, stepTime time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step, p.end = m.Step, 0
	if stepTime > 0 {
		p.end = cpuTime() + stepTime
	}
	return p.out.Encode(m)
}

// watch tells the parent when a step has used up its CPU time. The parent then kills this
// process.
func (p *progress) watch() {
	for range time.Tick(20 * time.Millisecond) {
		p.mu.Lock()
		if p.end > 0 && cpuTime() > p.end {
			p.end = 0
			_ = p.out.Encode(message{Step: p.step, Slow: true}) // fails if the parent has died
		}
		p.mu.Unlock()
	}
}
