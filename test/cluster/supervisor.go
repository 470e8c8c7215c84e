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

package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
)

// supervisor is the process that runs the control plane. It ends with this process, which
// closes its stdin. Requests and responses are lines of JSON; test/controlplane defines
// them. A supervisor starts no goroutines, so that tests can check for leaked goroutines.
type supervisor struct {
	mu        sync.Mutex
	process   *os.Process
	stdin     *os.File
	stdout    *os.File
	responses *bufio.Reader
	state     state
}

type request struct {
	Do      string
	Process string `json:",omitempty"`
	Name    string `json:",omitempty"`
}

type state struct {
	Kubeconfig string
	Dir        string
	PIDs       map[string]int
	Error      string
}

// supervise starts a control plane, and waits until it is ready.
func supervise(ctx context.Context, o options) (*supervisor, error) {
	program, err := build(ctx)
	if err != nil {
		return nil, err
	}
	childStdin, stdin, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	stdout, childStdout, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, childStdin.Close(), stdin.Close())
	}
	s := &supervisor{stdin: stdin, stdout: stdout, responses: bufio.NewReader(stdout)}
	args := []string{"serve"}
	if o.controllerManager {
		args = append(args, "-controller-manager")
	}
	if o.admissionConfig != "" {
		args = append(args, "-admission-config", o.admissionConfig)
	}
	cmd := exec.Command(program, args...) //nolint:noctx // ends when close closes its stdin
	// The streams are files because exec starts goroutines that copy other streams. A
	// parent that reads stderr until EOF, like go test, waits for the clean-up.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = childStdin, childStdout, os.Stderr
	err = cmd.Start()
	s.process = cmd.Process
	err = errors.Join(err, childStdin.Close(), childStdout.Close())
	if err == nil {
		err = s.readState(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// request sends r and waits for the response.
func (s *supervisor) request(r request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := s.stdin.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("request %s of control plane: %w", r.Do, err)
	}
	if err := s.readState(context.Background()); err != nil {
		return fmt.Errorf("request %s %s%s of control plane: %w", r.Do, r.Process, r.Name, err)
	}
	return nil
}

// readState reads one response. It closes stdin if ctx ends first, which ends the
// supervisor.
func (s *supervisor) readState(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.stdin.Close() })
	defer stop()
	line, err := s.responses.ReadBytes('\n')
	if err != nil {
		return errors.Join(fmt.Errorf("control plane ended: %w", err), context.Cause(ctx))
	}
	s.state = state{}
	if err := json.Unmarshal(line, &s.state); err != nil {
		return fmt.Errorf("response %q: %w", line, err)
	}
	if s.state.Error != "" {
		return errors.New(s.state.Error)
	}
	return nil
}

// close stops the control plane, and waits until the supervisor has ended.
func (s *supervisor) close() error {
	err := s.stdin.Close()
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	if s.process != nil {
		_, waitErr := s.process.Wait()
		err = errors.Join(err, waitErr)
	}
	return errors.Join(err, s.stdout.Close())
}
