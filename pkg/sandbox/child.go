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
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kubevela/kube-trigger/pkg/fair"
)

const (
	// MaxMemory is the memory limit of a child, in bytes.
	MaxMemory = 384 << 20
	// MaxStepTime is the default of Limits.Step.
	MaxStepTime = 2 * time.Second
	// MaxTotalTime is the default of Limits.Total.
	MaxTotalTime = 20 * time.Second
	// maxOutput is the maximum size of a child's result, and of its stderr, in bytes.
	maxOutput = 4 << 20
	// A child that has no check for maxIdle ends. After maxServed checks, or maxBusy, it
	// is replaced.
	maxIdle, maxServed, maxBusy = 30 * time.Second, 100, time.Minute
)

// Limits limit the time of checks.
type Limits struct {
	// Step limits the CPU time of one step. It defaults to MaxStepTime.
	Step time.Duration
	// Total limits the time of a whole check with all its steps. It defaults to
	// MaxTotalTime.
	Total time.Duration
}

// Child runs checks in child processes. It keeps them for further checks while it has
// any. It is safe for concurrent use.
type Child struct {
	command []string
	limits  Limits
	slots   *fair.Semaphore

	mu   sync.Mutex
	idle []*process
}

// NewChild returns a Child that runs command, at most processes concurrently. The main
// function of command must call Serve.
func NewChild(processes int, limits Limits, command ...string) *Child {
	if limits.Step == 0 {
		limits.Step = MaxStepTime
	}
	if limits.Total == 0 {
		limits.Total = MaxTotalTime
	}
	return &Child{command: command, limits: limits, slots: fair.NewSemaphore(processes)}
}

// Check implements Checker. Namespaces take turns.
func (c *Child) Check(ctx context.Context, r Request) (Report, error) {
	var report Report
	return report, c.Run(ctx, r.Service.Namespace, r, &report)
}

// Run has a child check request, and stores its result in result. Both are encoded as
// JSON. When a step exceeds a limit, another child is told to skip it, until one
// completes. The error wraps ErrResourceExceeded if the check exceeds the total time, or
// if the deadline of ctx passes after a step has exceeded a limit. Different keys take
// turns.
func (c *Child) Run(ctx context.Context, key string, request, result any) error {
	task := task{Rejected: map[string]string{}, StepTime: c.limits.Step}
	var err error
	if task.Request, err = json.Marshal(request); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	release, err := c.slots.Acquire(ctx, key)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	defer release()
	deadline := time.Now().Add(c.limits.Total)
	var exceeded error
	for {
		last, err := c.try(ctx, task, deadline)
		switch {
		case errors.Is(ctx.Err(), context.DeadlineExceeded) && exceeded != nil:
			return exceeded
		case errors.Is(err, errTotal):
			return &exceededError{reason: fmt.Sprintf("more than %s in all", c.limits.Total), slow: true}
		case errors.Is(err, ErrResourceExceeded) && last.Step != "" && ctx.Err() == nil:
			task.Rejected[last.Step], exceeded = err.Error(), err
			continue
		case err == nil:
			err = json.Unmarshal(last.Result, result)
		}
		if err != nil && !errors.Is(err, ErrResourceExceeded) {
			return fmt.Errorf("check: %w", err)
		}
		return err
	}
}

// try passes t to a child, and returns its last message. If a child that has already
// served other checks fails, but not because a step is slow, a new one decides.
func (c *Child) try(ctx context.Context, t task, deadline time.Time) (message, error) {
	for {
		p, err := c.take()
		if err != nil {
			return message{}, err
		}
		used := p.served > 0
		last, err := p.serve(ctx, t, deadline)
		if err == nil {
			c.put(p)
			return last, nil
		}
		p.kill()
		var exceeded *exceededError
		if !used || errors.As(err, &exceeded) && exceeded.slow || ctx.Err() != nil || !time.Now().Before(deadline) {
			return last, err
		}
	}
}

// take returns an idle child, or a new one.
func (c *Child) take() (*process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.idle) > 0 {
		p := c.idle[len(c.idle)-1]
		c.idle = c.idle[:len(c.idle)-1]
		if p.expiry.Stop() {
			return p, nil
		}
	}
	return start(c.command)
}

// put keeps p for further checks.
func (c *Child) put(p *process) {
	if p.served >= maxServed || p.busy >= maxBusy {
		p.kill()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p.expiry = time.AfterFunc(maxIdle, p.kill)
	c.idle = append(c.idle, p)
}

// Close ends the idle children.
func (c *Child) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.idle {
		p.expiry.Stop()
		p.kill()
	}
	c.idle = nil
}

// task is the input of a child.
type task struct {
	Request json.RawMessage
	// Rejected has the steps to skip, with the reasons.
	Rejected map[string]string
	// StepTime is the maximum CPU time of a step.
	StepTime time.Duration
}

// message is one line of a child's output.
type message struct {
	// Step is the step that begins, or the one that is Slow: it has used up its CPU time.
	Step string `json:",omitempty"`
	Slow bool   `json:",omitempty"`
	// Result is the result of the check.
	Result json.RawMessage `json:",omitempty"`
}
