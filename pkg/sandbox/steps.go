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
	"os"
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
	decoder, encoder := json.NewDecoder(in), json.NewEncoder(out)
	clock := &stepClock{}
	go clock.watch()
	for {
		var t task
		if err := decoder.Decode(&t); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read request: %w", err)
		}
		if err := serve(t, clock, encoder, check); err != nil {
			return err
		}
		clock.stop()
	}
}

func serve[Request, Result any](t task, clock *stepClock, out *json.Encoder, check func(Request, *Steps) (Result, error)) error {
	clock.start(t.StepTime)
	var r Request
	if err := json.Unmarshal(t.Request, &r); err != nil {
		return fmt.Errorf("read request: %w", err)
	}
	steps := Steps{rejected: t.Rejected, stepTime: t.StepTime, clock: clock, out: out}
	result, err := check(r, &steps)
	if err := errors.Join(err, steps.err); err != nil {
		return err
	}
	encoded, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return steps.out.Encode(message{Result: encoded})
}

// Steps reports the progress of the child to its parent.
type Steps struct {
	rejected map[string]string
	stepTime time.Duration
	clock    *stepClock
	out      *json.Encoder
	err      error
}

// Begin starts the named step, and ends the previous one. If it returns a reason, the
// step exceeded a limit before and must be skipped.
func (s *Steps) Begin(step string) string {
	if reason, ok := s.rejected[step]; ok {
		return reason
	}
	s.err = errors.Join(s.err, s.out.Encode(message{Step: step}))
	s.clock.start(s.stepTime)
	return ""
}

// stepClock ends this process when a step takes too much CPU time.
type stepClock struct {
	mu sync.Mutex
	// end is the CPU time of this process at which the step must have ended; 0 for none.
	end time.Duration
}

// start starts a step, and ends the previous one.
func (c *stepClock) start(limit time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end = cpuTime() + limit
}

func (c *stepClock) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end = 0
}

func (c *stepClock) watch() {
	for range time.Tick(20 * time.Millisecond) {
		c.mu.Lock()
		slow := c.end > 0 && cpuTime() > c.end
		c.mu.Unlock()
		if slow {
			os.Exit(exitSlow)
		}
	}
}
