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

package admission

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/kubevela/kube-trigger/pkg/problem"
)

const (
	// MaxMemory is what a check may use, in bytes.
	MaxMemory = 512 << 20
	// MaxTime is what a check may take.
	MaxTime = 10 * time.Second
	// maxReport bounds what is read of a report, in bytes.
	maxReport = 4 << 20
)

// Child checks in child processes, of which no more than Processes run at the
// same time.
type Child struct {
	command   []string
	processes chan struct{}
}

// NewChild returns a Checker that runs command for each check: one whose main
// calls Serve.
func NewChild(processes int, command ...string) *Child {
	return &Child{command: command, processes: make(chan struct{}, processes)}
}

// Check implements Checker. A child that needs more memory or time than it may
// have, or dies otherwise, is a problem of every trigger and action: it is not
// known of which.
func (c *Child) Check(ctx context.Context, r Request) (Report, error) {
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
	limited, cancel := context.WithTimeout(ctx, MaxTime)
	defer cancel()
	cmd := exec.CommandContext(limited, c.command[0], c.command[1:]...)
	// Nothing of this process's environment is its business.
	cmd.Env = []string{"GOMAXPROCS=1"}
	cmd.Stdin = bytes.NewReader(input)
	var out bytes.Buffer
	cmd.Stdout = &limitedWriter{to: &out, left: maxReport}
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return Report{}, context.Cause(ctx)
	case limited.Err() != nil:
		return blame(r, fmt.Sprintf("checking takes longer than %s", MaxTime)), nil
	case errors.As(err, &exit):
		return blame(r, fmt.Sprintf("checking needs more than %d MiB of memory, or does not end", MaxMemory>>20)), nil
	case err != nil:
		return Report{}, fmt.Errorf("check TriggerService: %w", err)
	}
	var report Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		return Report{}, fmt.Errorf("check TriggerService: %w", err)
	}
	return report, nil
}

// blame returns a report that says the same of everything.
func blame(r Request, message string) Report {
	list := problem.List{{Path: "spec.triggers", Message: message}}
	report := Report{Broken: map[string]problem.List{}}
	for range r.Service.Spec.Triggers {
		report.Triggers = append(report.Triggers, Trigger{Problems: list})
	}
	for name := range r.Actions {
		report.Broken[name] = list
	}
	return report
}

// Serve is the other end of a Child: it reads a request, checks it with local
// and writes the report. It limits the memory of this process for good.
func Serve(ctx context.Context, in io.Reader, out io.Writer, local Local) error {
	if err := limitMemory(MaxMemory); err != nil {
		return fmt.Errorf("limit memory: %w", err)
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

// limitedWriter refuses what is too much.
type limitedWriter struct {
	to   io.Writer
	left int
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		return 0, errors.New("the report is too long")
	}
	w.left -= len(p)
	return w.to.Write(p)
}
