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

// program is one that is measured.
type program struct {
	name string
	// args are its arguments, for a kubeconfig and a namespace.
	args func(kubeconfig, namespace string) ([]string, error)
	// ready is what it prints once it watches.
	ready string
}

// programs returns kube-trigger and the one to compare it with.
func (b *bed) programs() []program {
	return []program{
		{name: "kube-trigger", ready: "msg=watching", args: b.triggerArgs},
		{name: "handwritten", ready: "watching", args: func(kubeconfig, namespace string) ([]string, error) {
			return []string{"-kubeconfig", kubeconfig, "-namespace", namespace}, nil
		}},
	}
}

// triggerArgs writes the configuration: that of examples/bump-application, for
// one namespace.
func (b *bed) triggerArgs(kubeconfig, namespace string) ([]string, error) {
	file := filepath.Join(b.dir, namespace+".yaml")
	text := fmt.Sprintf(`triggers:
  - name: bump-on-change
    source:
      type: resource-watcher
      properties: {apiVersion: v1, kind: ConfigMap, namespace: %q, events: [update]}
    filter: context.data.metadata.labels["trigger.oam.dev/application"] != _|_
    action:
      type: bump-application-revision
      properties: {nameSelector: {fromLabel: trigger.oam.dev/application}}
`, namespace)
	return []string{"run", "-c", file, "--kubeconfig", kubeconfig, "--store", file + ".db", "--from", "now"}, os.WriteFile(file, []byte(text), 0o600)
}

// process is a program that runs.
type process struct {
	cmd    *exec.Cmd
	output string
	ended  chan error
}

// start runs p with more in its environment, and returns when it watches.
func (b *bed) start(ctx context.Context, p program, namespace string, env ...string) (*process, error) {
	args, err := p.args(b.cluster.Kubeconfig, namespace)
	if err != nil {
		return nil, err
	}
	r := &process{output: filepath.Join(b.dir, p.name+".log"), ended: make(chan error, 1)}
	out, err := os.Create(r.output)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	//nolint:gosec,noctx // ours, and told to end, not killed
	r.cmd = exec.Command(filepath.Join(b.dir, p.name), args...)
	r.cmd.Env = append(os.Environ(), env...)
	r.cmd.Stdout, r.cmd.Stderr = out, out
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { r.ended <- r.cmd.Wait() }()
	if err := r.until(ctx, p.ready); err != nil {
		text, _ := os.ReadFile(r.output)
		return nil, errors.Join(fmt.Errorf("%s: %w\n%s", p.name, err, text), r.stop())
	}
	return r, nil
}

// until waits for what the program prints.
func (r *process) until(ctx context.Context, ready string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		text, err := os.ReadFile(r.output)
		if err != nil || bytes.Contains(text, []byte(ready)) {
			return err
		}
		select {
		case err := <-r.ended:
			r.ended <- err
			return fmt.Errorf("ended: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("wait for %q: %w", ready, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop tells the program to end, and waits.
func (r *process) stop() error {
	_ = r.cmd.Process.Signal(syscall.SIGTERM) // or it has ended
	err := <-r.ended
	r.ended <- err
	return err
}

// cpu returns the processor time that the program has taken.
func (r *process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything.
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
