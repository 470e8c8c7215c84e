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
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// RunSteps runs command, a child process that calls ServeSteps, with request, and
// stores its result in result. Each step has the given timeout. When a step exceeds a
// limit, the child is started again and skips it, until a child completes.
// Both request and result are encoded as JSON.
func RunSteps(ctx context.Context, timeout time.Duration, request, result any, command ...string) error {
	task := task{Rejected: map[string]string{}}
	var err error
	if task.Request, err = json.Marshal(request); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	for {
		input, err := json.Marshal(task)
		if err != nil {
			return fmt.Errorf("check: %w", err)
		}
		var p progress
		err = execute(ctx, timeout, command, input, &p)
		if step := p.last.Step; errors.Is(err, ErrResourceExceeded) && step != "" {
			task.Rejected[step] = err.Error()
			continue
		}
		if err == nil {
			err = json.Unmarshal(p.last.Result, result)
		}
		if err != nil {
			return fmt.Errorf("check: %w", err)
		}
		return nil
	}
}

// ServeSteps is the child side of RunSteps: it limits this process, reads a request
// from in, passes it to do and writes the result to out. On an error the process must
// exit with code 1.
func ServeSteps[Request, Result any](in io.Reader, out io.Writer, do func(Request, *Steps) (Result, error)) error {
	if err := limitProcess(); err != nil {
		return err
	}
	var t task
	if err := json.NewDecoder(in).Decode(&t); err != nil {
		return fmt.Errorf("read request: %w", err)
	}
	var r Request
	if err := json.Unmarshal(t.Request, &r); err != nil {
		return fmt.Errorf("read request: %w", err)
	}
	steps := Steps{rejected: t.Rejected, out: json.NewEncoder(out)}
	result, err := do(r, &steps)
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
	return ""
}

// task is the input of a child.
type task struct {
	Request json.RawMessage
	// Rejected has the steps to skip, with the reasons.
	Rejected map[string]string
}

// message is one line of a child's output.
type message struct {
	Step   string          `json:",omitempty"`
	Result json.RawMessage `json:",omitempty"`
}

// progress decodes the messages that are written to it, and keeps the last one.
type progress struct {
	buffer []byte
	last   message
}

func (p *progress) Write(data []byte) (int, error) {
	p.buffer = append(p.buffer, data...)
	for {
		line, rest, ok := bytes.Cut(p.buffer, []byte("\n"))
		if !ok {
			return len(data), nil
		}
		p.last = message{}
		if err := json.Unmarshal(line, &p.last); err != nil {
			return 0, err
		}
		p.buffer = rest
	}
}
