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

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// program is a measured program.
type program struct {
	name string
	// path is the path of the executable.
	path string
	// args returns the arguments for a kubeconfig and a namespace.
	args func(kubeconfig, namespace string) ([]string, error)
	// ready is a text that the program prints once it watches.
	ready string
}

// Names of programs in tables, and of their executables and logs.
const (
	triggerProgram     = "kube-trigger"
	handwrittenProgram = "handwritten"
	baselineProgram    = "baseline"
)

// programs returns kube-trigger, and the program that it is compared with.
func (e *env) programs() [2]program {
	trigger := e.trigger(triggerProgram, triggerConfig)
	if e.baseline != "" {
		baseline := e.trigger(baselineProgram, triggerConfig)
		baseline.path = e.baseline
		return [2]program{trigger, baseline}
	}
	return [2]program{trigger, {
		name: handwrittenProgram, path: filepath.Join(e.dir, handwrittenProgram), ready: "watching",
		args: func(kubeconfig, namespace string) ([]string, error) {
			return []string{"-kubeconfig", kubeconfig, "-namespace", namespace}, nil
		},
	}}
}

// trigger returns kube-trigger with a configuration and flags, by a name. Each program has its own
// store, since versions may have different formats.
func (e *env) trigger(name string, config func(namespace string) string, flags ...string) program {
	args := func(kubeconfig, namespace string) ([]string, error) {
		file := filepath.Join(e.dir, namespace+"-"+name+".yaml")
		args := append([]string{"run", "-c", file, "--kubeconfig", kubeconfig, "--store", file + ".db", "--from", "now"}, flags...)
		return args, os.WriteFile(file, []byte(config(namespace)), 0o600)
	}
	return program{name: name, path: filepath.Join(e.dir, triggerProgram), ready: "msg=watching", args: args}
}

// triggerConfig is the configuration of examples/bump-application, restricted to a namespace.
func triggerConfig(namespace string) string {
	return fmt.Sprintf(`triggers:
  - name: bump-on-change
    source:
      type: resource-watcher
      properties: {apiVersion: v1, kind: ConfigMap, namespace: %q, events: [update]}
    filter: context.data.metadata.labels["trigger.oam.dev/application"] != _|_
    action:
      type: bump-application-revision
      properties: {nameSelector: {fromLabel: trigger.oam.dev/application}}
`, namespace)
}

// process is a running program.
type process struct {
	cmd    *exec.Cmd
	output string     // path of the log
	ended  chan error // has the error of Wait once the program has ended
}

// start starts p, and waits until it watches. environment is added to the environment of this
// process.
func (e *env) start(ctx context.Context, p program, namespace string, environment ...string) (*process, error) {
	args, err := p.args(e.cluster.Kubeconfig, namespace)
	if err != nil {
		return nil, err
	}
	r := &process{output: filepath.Join(e.dir, p.name+".log"), ended: make(chan error, 1)}
	out, err := os.Create(r.output)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	//nolint:gosec,noctx // stop ends it with SIGTERM; a context would kill it
	r.cmd = exec.Command(p.path, args...)
	r.cmd.Env = append(os.Environ(), environment...)
	r.cmd.Stdout, r.cmd.Stderr = out, out
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { r.ended <- r.cmd.Wait() }()
	if err := r.waitForOutput(ctx, p.ready); err != nil {
		text, _ := os.ReadFile(r.output)
		return nil, errors.Join(fmt.Errorf("%s: %w\n%s", p.name, err, text), r.stop())
	}
	return r, nil
}

// waitForOutput waits until the output contains want.
func (r *process) waitForOutput(ctx context.Context, want string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		text, err := os.ReadFile(r.output)
		if err != nil || bytes.Contains(text, []byte(want)) {
			return err
		}
		select {
		case err := <-r.ended:
			r.ended <- err
			return fmt.Errorf("wait for %q: program ended: %w", want, err)
		case <-ctx.Done():
			return fmt.Errorf("wait for %q: %w", want, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop terminates the program, and waits until it has ended. It may be called again.
func (r *process) stop() error {
	_ = r.cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended
	err := <-r.ended
	r.ended <- err
	return err
}

// cpu returns the user and system time of the program. The precision is 10 ms.
func (r *process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The fields follow the name, which is in parentheses and may contain any character.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var ticks int64
	for _, i := range []int{11, 12} { // utime and stime, in hundredths
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
