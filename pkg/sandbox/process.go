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

// ErrDeadly says that a check needed more memory or time than it may have.
var ErrDeadly = errors.New("checking it needs too much memory or time")

// refused is the exit code of a child whose Serve or ServeSteps returned an
// error: unlike one that Go's runtime or the system ended, it is not the fault of
// what it checked.
const refused = 1

// execute runs command with input until it has ended. Command ends early when it
// has taken longer than limit since it began, or since out was written to. An
// error is ErrDeadly where the work of the command needs too much.
func execute(ctx context.Context, limit time.Duration, command []string, input []byte, out io.Writer) error {
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := deadly(fmt.Sprintf("more than %s", limit))
	timer := time.AfterFunc(limit, func() { cancel(late) })
	defer timer.Stop()
	cmd := exec.CommandContext(limited, command[0], command[1:]...) //nolint:gosec // this very program
	// Nothing of this process's environment is its business.
	cmd.Env = []string{"GOMAXPROCS=1", "GOTRACEBACK=none"}
	cmd.Stdin = bytes.NewReader(input)
	var complaint bytes.Buffer
	cmd.Stdout = renewing{to: out, renew: func() { timer.Reset(limit) }}
	cmd.Stderr = &limitedWriter{to: &complaint, left: maxReport}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil:
		return nil
	case limited.Err() != nil:
		return late
	case !errors.As(err, &exit):
		return err
	case exit.ExitCode() == refused:
		return errors.New(string(bytes.TrimSpace(complaint.Bytes())))
	}
	return crash(exit, complaint.Bytes())
}

// crash says why Go's runtime or the system ended a process.
func crash(exit *exec.ExitError, complaint []byte) error {
	switch {
	case bytes.Contains(complaint, []byte("stack overflow")):
		return deadly("it depends on itself without end")
	case bytes.Contains(complaint, []byte("memory")), exit.ExitCode() < 0: // ended by the system
		return deadly(fmt.Sprintf("more than %d MiB", MaxMemory>>20))
	}
	first, _, _ := bytes.Cut(bytes.TrimSpace(complaint), []byte("\n"))
	return deadly(fmt.Sprintf("CUE crashed, %s: %s", exit, first))
}

func deadly(why string) error {
	return fmt.Errorf("%w: %s; write it without large repetitions and ranges, and without values that depend on themselves", ErrDeadly, why)
}

// renewing calls renew with each write.
type renewing struct {
	to    io.Writer
	renew func()
}

func (w renewing) Write(p []byte) (int, error) {
	w.renew()
	return w.to.Write(p)
}

// limitedWriter drops what is too much.
type limitedWriter struct {
	to   io.Writer
	left int
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p[:min(len(p), w.left)])
	w.left -= n
	if err != nil {
		return n, err
	}
	return len(p), nil
}
