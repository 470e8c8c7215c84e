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
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"
)

// ErrResourceExceeded is returned when a check exceeds the memory or time limit.
var ErrResourceExceeded = errors.New("check exceeds the memory or time limit")

// errTotal is the error of a check that exceeds the total time.
var errTotal = errors.New("the total time is exceeded")

// exitFailure is the exit code of a child whose Serve returned an error.
// With any other code, the Go runtime or the system ended the child because of the CUE
// that it evaluated.
const exitFailure = 1

// waitFactor is the time that a step may take, as a multiple of its CPU time: other
// processes need the CPU too.
const waitFactor = 10

// process is a running child. One goroutine uses it at a time.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	// messages are those of the child. It is closed when the child has ended; err is
	// set before.
	messages chan message
	err      error
	stderr   bytes.Buffer
	killOnce sync.Once

	served int
	busy   time.Duration
	// expiry ends the child while it is idle.
	expiry *time.Timer
}

// start starts a child.
func start(command []string) (*process, error) {
	p := &process{cmd: exec.Command(command[0], command[1:]...), messages: make(chan message)} //nolint:gosec,noctx // the path of this program; the child outlives a check
	// The child does not inherit the environment, which may hold secrets.
	p.cmd.Env = []string{"GOMAXPROCS=1", "GOTRACEBACK=none"}
	p.cmd.Stderr = &limitedWriter{w: &p.stderr, remaining: maxOutput}
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.read(stdout)
	return p, nil
}

// read reads messages until the child ends.
func (p *process) read(stdout io.Reader) {
	defer close(p.messages)
	in := bufio.NewScanner(stdout)
	in.Buffer(nil, maxOutput)
	var broken error
	for in.Scan() {
		var m message
		if broken = json.Unmarshal(in.Bytes(), &m); broken != nil {
			break
		}
		p.messages <- m
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		broken = fmt.Errorf("the result is larger than %d MiB", maxOutput>>20)
	}
	if broken != nil {
		p.kill()
		_, _ = io.Copy(io.Discard, stdout)
	}
	p.err = errors.Join(broken, p.cmd.Wait())
	if broken != nil {
		p.err = broken
	}
}

// kill ends the child.
func (p *process) kill() {
	p.killOnce.Do(func() {
		_ = p.stdin.Close()
		_ = p.cmd.Process.Kill()
		go func() {
			for range p.messages { // so that read ends
			}
		}()
	})
}

// serve passes t to the child, and returns its last message: the result, or the step
// that failed with the error. The error wraps ErrResourceExceeded if the step exceeded
// a limit, and is errTotal if deadline has passed. After an error the child must be
// killed.
func (p *process) serve(ctx context.Context, t task, deadline time.Time) (last message, err error) {
	begin, timeout := time.Now(), waitFactor*t.StepTime
	defer func() {
		p.served++
		p.busy += time.Since(begin)
	}()
	input, err := json.Marshal(t)
	if err != nil {
		return last, err
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = p.stdin.Write(append(input, '\n')) // fails if the child has ended
	}()
	defer func() {
		if err != nil {
			p.kill() // ends the write
		}
		<-written
	}()
	step, total := time.NewTimer(timeout), time.NewTimer(time.Until(deadline))
	defer step.Stop()
	defer total.Stop()
	for {
		select {
		case m, ok := <-p.messages:
			if !ok {
				return last, p.exitError()
			}
			last = m
			switch {
			case m.Result != nil:
				return last, nil
			case m.Slow:
				return last, &exceededError{reason: fmt.Sprintf("more than %s of CPU time", t.StepTime), slow: true}
			}
			step.Reset(timeout)
		case <-step.C:
			return last, &exceededError{reason: fmt.Sprintf("more than %s", timeout), slow: true}
		case <-total.C:
			return last, errTotal
		case <-ctx.Done():
			return last, context.Cause(ctx)
		}
	}
}

// exitError returns the error of a child that has ended.
func (p *process) exitError() error {
	var exit *exec.ExitError
	switch {
	case p.err == nil:
		return errors.New("the child ended without a result")
	case !errors.As(p.err, &exit):
		return p.err
	case exit.ExitCode() == exitFailure:
		return errors.New(string(bytes.TrimSpace(p.stderr.Bytes())))
	}
	return classifyExit(exit, p.stderr.Bytes())
}

// classifyExit returns the error for a child that the Go runtime or the system ended.
func classifyExit(exit *exec.ExitError, stderr []byte) error {
	switch {
	case bytes.Contains(stderr, []byte("stack overflow")):
		return &exceededError{reason: "infinite recursion"}
	case bytes.Contains(stderr, []byte("memory")), exit.ExitCode() < 0: // killed by a signal
		return &exceededError{reason: fmt.Sprintf("more than %d MiB", MaxMemory>>20)}
	}
	first, _, _ := bytes.Cut(bytes.TrimSpace(stderr), []byte("\n"))
	return &exceededError{reason: fmt.Sprintf("CUE crashed, %s: %s", exit, first)}
}

// exceededError is the error of a check that exceeds a limit. It wraps
// ErrResourceExceeded.
type exceededError struct {
	reason string
	// slow is set if the limit is one of time, and not of memory.
	slow bool
}

func (e *exceededError) Error() string {
	return fmt.Sprintf("%v: %s; avoid large repetitions and ranges, and values that depend on themselves", ErrResourceExceeded, e.reason)
}

func (e *exceededError) Unwrap() error { return ErrResourceExceeded }

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
