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
	"time"
)

const (
	// MaxMemory is the memory limit of a child, in bytes.
	MaxMemory = 512 << 20
	// MaxTime is the timeout of one step.
	MaxTime = 5 * time.Second
	// maxOutput is the maximum size of a child's result, and of its stderr, in bytes.
	maxOutput = 4 << 20
)

// Child runs checks in child processes. It is safe for concurrent use.
type Child struct {
	command   []string
	timeout   time.Duration
	processes chan struct{}
}

// NewChild returns a Child that runs command for each check: at most processes
// concurrently, each with the given timeout per step. The main function of command
// must call Serve.
func NewChild(processes int, timeout time.Duration, command ...string) *Child {
	return &Child{command: command, timeout: timeout, processes: make(chan struct{}, processes)}
}

// Check implements Checker.
func (c *Child) Check(ctx context.Context, r Request) (Report, error) {
	var report Report
	return report, c.Run(ctx, r, &report)
}

// Run has a child check request, and stores its result in result. Both are encoded as
// JSON. When a step exceeds a limit, the child is started again and told to skip it,
// until a child completes. If the deadline of ctx passes before, the error wraps
// ErrResourceExceeded.
func (c *Child) Run(ctx context.Context, request, result any) error {
	task := task{Rejected: map[string]string{}}
	var err error
	if task.Request, err = json.Marshal(request); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	var exceeded error
	for {
		p, err := c.start(ctx, task)
		switch step := p.last.Step; {
		case errors.Is(ctx.Err(), context.DeadlineExceeded) && exceeded != nil:
			return exceeded
		case errors.Is(err, ErrResourceExceeded) && step != "" && ctx.Err() == nil:
			task.Rejected[step], exceeded = err.Error(), err
			continue
		case err == nil:
			err = json.Unmarshal(p.last.Result, result)
		}
		if err != nil && !errors.Is(err, ErrResourceExceeded) {
			return fmt.Errorf("check: %w", err)
		}
		return err
	}
}

// start runs one child process, and returns its progress.
func (c *Child) start(ctx context.Context, t task) (progress, error) {
	input, err := json.Marshal(t)
	if err != nil {
		return progress{}, err
	}
	select {
	case c.processes <- struct{}{}:
		defer func() { <-c.processes }()
	case <-ctx.Done():
		return progress{}, context.Cause(ctx)
	}
	var p progress
	err = execute(ctx, c.timeout, c.command, input, &p)
	return p, err
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
		if !ok && len(p.buffer) > maxOutput {
			return 0, fmt.Errorf("the result is larger than %d MiB", maxOutput>>20)
		}
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
