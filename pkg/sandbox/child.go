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
	"maps"
	"slices"
	"time"

	"github.com/kubevela/kube-trigger/pkg/diag"
)

const (
	// MaxMemory is the memory limit of a check, in bytes.
	MaxMemory = 512 << 20
	// MaxTime is the timeout of a check, or of one step.
	MaxTime = 5 * time.Second
	// maxReport is the maximum size of a report, in bytes.
	maxReport = 4 << 20
)

// Child is a Checker that runs each check in a child process. It is safe for
// concurrent use.
type Child struct {
	command   []string
	timeout   time.Duration
	processes chan struct{}
}

// NewChild returns a Checker that runs command for each check: at most processes
// concurrently, each with the given timeout. The main function of command must call
// Serve.
func NewChild(processes int, timeout time.Duration, command ...string) *Child {
	return &Child{command: command, timeout: timeout, processes: make(chan struct{}, processes)}
}

// Check implements Checker. If a check exceeds a limit, it finds the actions and
// triggers that caused it by checking subsets. If the deadline of ctx passes before
// they are found, the error wraps ErrResourceExceeded.
func (c *Child) Check(ctx context.Context, r Request) (Report, error) {
	report, exceeded := c.run(ctx, r)
	if !errors.Is(exceeded, ErrResourceExceeded) {
		return report, exceeded
	}
	report, err := c.isolate(ctx, r)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return Report{}, exceeded
	}
	return report, err
}

// isolate checks the actions and triggers of r in subsets. The check of all of them is
// known to exceed a limit.
func (c *Child) isolate(ctx context.Context, r Request) (Report, error) {
	exceeded := map[string]diag.List{}
	remaining := maps.Clone(r.Actions)
	for _, name := range slices.Sorted(maps.Keys(r.Actions)) {
		a := r.Actions[name]
		_, err := c.run(ctx, Request{Service: r.Service, Actions: map[string]Action{name: a}, Only: []int{}})
		if errors.Is(err, ErrResourceExceeded) {
			exceeded[name] = diag.List{{Message: err.Error()}}
			delete(remaining, name)
			if a.Previous != "" {
				remaining[name] = Action{Source: a.Previous}
			}
		} else if err != nil {
			return Report{}, err
		}
	}
	r.Actions = remaining
	report, err := c.bisect(ctx, r, 0, len(r.Service.Spec.Triggers), len(exceeded) == 0)
	if err != nil {
		return Report{}, err
	}
	maps.Copy(report.BrokenActions, exceeded)
	return report, nil
}

// bisect checks the triggers [from, to), in two halves if their check exceeds a limit.
// exceeds skips the check of all of them, which is known to exceed it.
func (c *Child) bisect(ctx context.Context, r Request, from, to int, exceeds bool) (Report, error) {
	r.Only = []int{}
	for i := from; i < to; i++ {
		r.Only = append(r.Only, i)
	}
	report, err := Report{}, ErrResourceExceeded
	if !exceeds {
		report, err = c.run(ctx, r)
	}
	if !errors.Is(err, ErrResourceExceeded) {
		return report, err
	}
	if to-from <= 1 {
		r.Only = []int{}
		report, namesErr := c.run(ctx, r) // without triggers, for their names
		if namesErr != nil {
			return Report{}, namesErr
		}
		for i := from; i < to; i++ {
			report.Triggers[i].ResourceExceeded = true
			report.Triggers[i].Problems = diag.List{{Path: fmt.Sprintf("spec.triggers[%d]", i), Message: err.Error()}}
		}
		return report, nil
	}
	middle := (from + to) / 2
	first, err := c.bisect(ctx, r, from, middle, false)
	if err != nil {
		return Report{}, err
	}
	second, err := c.bisect(ctx, r, middle, to, false)
	if err != nil {
		return Report{}, err
	}
	copy(second.Triggers[:middle], first.Triggers[:middle])
	return second, nil
}

// run checks r in one child process.
func (c *Child) run(ctx context.Context, r Request) (Report, error) {
	input, err := json.Marshal(r)
	if err != nil {
		return Report{}, fmt.Errorf("check TriggerService: %w", err)
	}
	select {
	case c.processes <- struct{}{}:
		defer func() { <-c.processes }()
	case <-ctx.Done():
		return Report{}, context.Cause(ctx)
	}
	var out bytes.Buffer
	switch err := execute(ctx, c.timeout, c.command, input, &limitedWriter{w: &out, remaining: maxReport}); {
	case errors.Is(err, ErrResourceExceeded), ctx.Err() != nil:
		return Report{}, err
	case err != nil:
		return Report{}, fmt.Errorf("check TriggerService: %w", err)
	}
	var report Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		return Report{}, fmt.Errorf("check TriggerService: %w", err)
	}
	return report, nil
}

// Serve is the child side of Child: it limits this process, reads a request from in,
// checks it with local and writes the report to out. On an error the process must
// exit with code 1.
func Serve(ctx context.Context, in io.Reader, out io.Writer, local Local) error {
	if err := limitProcess(); err != nil {
		return err
	}
	var r Request
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return fmt.Errorf("read request: %w", err)
	}
	report, err := local.Check(ctx, r)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(report)
}
