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
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// ErrResourceExceeded is returned when a check exceeds the memory or time limit.
var ErrResourceExceeded = errors.New("check exceeds the memory or time limit")

// exitFailure is the exit code of a child whose Serve returned an error.
// With any other code, the Go runtime or the system ended the child because of the CUE
// that it evaluated.
const exitFailure = 1

// execute runs command with input on stdin, and copies its stdout to out. It kills the
// command when it has not written to stdout for the timeout. The error wraps
// ErrResourceExceeded if the command exceeded the timeout or a limit.
func execute(ctx context.Context, timeout time.Duration, command []string, input []byte, out io.Writer) error {
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	exceeded := resourceExceeded(fmt.Sprintf("more than %s", timeout))
	timer := time.AfterFunc(timeout, func() { cancel(exceeded) })
	defer timer.Stop()
	cmd := exec.CommandContext(limited, command[0], command[1:]...) //nolint:gosec // the path of this program
	// The child does not inherit the environment, which may hold secrets.
	cmd.Env = []string{"GOMAXPROCS=1", "GOTRACEBACK=none"}
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stdout = activityWriter{w: out, onWrite: func() { timer.Reset(timeout) }}
	cmd.Stderr = &limitedWriter{w: &stderr, remaining: maxOutput}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil:
		return nil
	case limited.Err() != nil:
		return exceeded
	case !errors.As(err, &exit):
		return err
	case exit.ExitCode() == exitFailure:
		return errors.New(string(bytes.TrimSpace(stderr.Bytes())))
	}
	return classifyExit(exit, stderr.Bytes())
}

// classifyExit returns the error for a child that the Go runtime or the system ended.
func classifyExit(exit *exec.ExitError, stderr []byte) error {
	switch {
	case bytes.Contains(stderr, []byte("stack overflow")):
		return resourceExceeded("infinite recursion")
	case bytes.Contains(stderr, []byte("memory")), exit.ExitCode() < 0: // killed by a signal
		return resourceExceeded(fmt.Sprintf("more than %d MiB", MaxMemory>>20))
	}
	first, _, _ := bytes.Cut(bytes.TrimSpace(stderr), []byte("\n"))
	return resourceExceeded(fmt.Sprintf("CUE crashed, %s: %s", exit, first))
}

func resourceExceeded(reason string) error {
	return fmt.Errorf("%w: %s; avoid large repetitions and ranges, and values that depend on themselves", ErrResourceExceeded, reason)
}

// activityWriter calls onWrite before each write to w.
type activityWriter struct {
	w       io.Writer
	onWrite func()
}

func (w activityWriter) Write(p []byte) (int, error) {
	w.onWrite()
	return w.w.Write(p)
}

// limitedWriter writes the first remaining bytes to w, and discards the rest.
type limitedWriter struct {
	w         io.Writer
	remaining int
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p[:min(len(p), w.remaining)])
	w.remaining -= n
	if err != nil {
		return n, err
	}
	return len(p), nil
}
