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

package plane

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
)

// process is a program that can be killed and started again. On Linux the kernel kills it
// when this process ends.
type process struct {
	name  string
	path  string
	args  []string
	log   string // path of the log file, which restarts append to
	lock  *os.File
	ready string // URL that returns 200 when the process is ready; empty for none

	running *os.Process
	exited  chan struct{} // closed when the process has ended
}

func (p *process) start() error {
	if p.isRunning() {
		return fmt.Errorf("start %s: already running", p.name)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	started := make(chan error)
	exited := make(chan struct{})
	go func() {
		// The kernel sends the parent death signal when the thread that started the program
		// ends.
		runtime.LockOSThread()
		defer close(exited)
		defer log.Close()
		cmd := exec.Command(p.path, p.args...) //nolint:noctx // ended by kill
		cmd.Stdout, cmd.Stderr = log, log
		cmd.ExtraFiles = []*os.File{p.lock}
		cmd.SysProcAttr = sysProcAttr()
		err := cmd.Start()
		p.running = cmd.Process
		started <- err
		if err == nil {
			_ = cmd.Wait() // the log has the reason
		}
	}()
	p.exited = exited
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	return nil
}

func (p *process) isRunning() bool {
	if p.exited == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// kill kills the process, and waits until it has ended. It does nothing if the process is
// not running.
func (p *process) kill() {
	if p.isRunning() {
		_ = p.running.Kill() // an error means that it has just ended
		<-p.exited
	}
}

// failure returns the error for a process that ended unexpectedly, with the end of its
// log.
func (p *process) failure() error {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return fmt.Errorf("%s ended: %w", p.name, err)
	}
	return fmt.Errorf("%s ended: ...%s", p.name, text[max(0, len(text)-2000):])
}
