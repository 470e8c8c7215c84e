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
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"controlplane/internal/binaries"
	"controlplane/internal/lock"
	"controlplane/internal/plane"
)

// background is a control plane that outlives the command that started it. Its processes
// hold the lock of dir; after a crash, the lock is free although dir exists.
type background struct{ dir string }

// lockCommand serializes commands that start or end a background control plane.
func lockCommand(ctx context.Context) (*lock.Lock, error) {
	cache, err := binaries.Cache()
	if err != nil {
		return nil, err
	}
	return lock.Acquire(ctx, filepath.Join(cache, "background.lock"), func() {
		fmt.Fprintln(os.Stderr, "controlplane: another process is starting or ending a cluster; waiting for it")
	})
}

// parseBackground parses the flag -dir and the flags that addFlags defines.
func parseBackground(name string, args []string, addFlags func(*flag.FlagSet)) (background, error) {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	dir := flags.String("dir", ".cluster", "folder of the control plane")
	addFlags(flags)
	if err := flags.Parse(args); err != nil {
		return background{}, err
	}
	path, err := filepath.Abs(*dir)
	return background{dir: path}, err
}

func (b background) path(name string) string { return filepath.Join(b.dir, name) }

// running reports whether a process holds the lock.
func (b background) running() (bool, error) {
	held, err := lock.Try(b.path(lockName))
	if errors.Is(err, lock.ErrHeld) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, held.Release()
}

// up starts a control plane unless it is running, installs CRDs, and prints the command
// that sets KUBECONFIG.
func up(ctx context.Context, args []string, out io.Writer) (err error) {
	var crds string
	b, err := parseBackground("up", args, func(f *flag.FlagSet) {
		f.StringVar(&crds, "crds", "", "folders of CRDs to install, separated by commas; absent folders are skipped")
	})
	if err != nil {
		return err
	}
	held, err := lockCommand(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	running, err := b.running()
	if err != nil {
		return err
	}
	status := "is already up"
	if !running {
		status = "is up"
		if err := b.launch(ctx); err != nil {
			return err
		}
	}
	if err := b.await(ctx); err != nil {
		return err
	}
	for folder := range strings.SplitSeq(crds, ",") {
		if err := installCRDs(ctx, b.path("kubeconfig"), folder); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "The cluster %s. To use it:\n\n  export KUBECONFIG=%s\n\nIt runs until `make cluster-down`.\n", status, b.path("kubeconfig"))
	return err
}

// launch removes the files of a crashed control plane, and starts a supervisor. It does
// not wait until the control plane is ready.
func (b background) launch(ctx context.Context) error {
	if _, err := ensure(ctx, os.Stderr); err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(b.dir), os.MkdirAll(b.dir, 0o755)); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.Create(b.path("log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(self, "supervise", "-dir", b.dir) //nolint:noctx // outlives this command
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Start()
}

// await waits until the kubeconfig exists. It returns the log of the supervisor as an
// error if there is any: a supervisor that starts successfully logs nothing.
func (b background) await(ctx context.Context) error {
	for range time.Tick(50 * time.Millisecond) {
		if _, err := os.Stat(b.path("kubeconfig")); err == nil {
			return nil
		}
		if text, err := os.ReadFile(b.path("log")); err == nil && len(text) > 0 {
			return fmt.Errorf("start in the background: %s", text)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// supervise runs the control plane until ctx ends, and returns an error if a process of
// the control plane ends before.
func supervise(ctx context.Context, args []string) (err error) {
	b, err := parseBackground("supervise", args, func(*flag.FlagSet) {})
	if err != nil {
		return err
	}
	held, err := lock.Try(b.path(lockName))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	if err := os.WriteFile(b.path("pid"), []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
		return err
	}
	p, err := launch(ctx, plane.Options{Dir: b.dir, Lock: held.File(), ControllerManager: true, Compaction: 5 * time.Minute})
	if err != nil {
		return err
	}
	defer p.Close()
	return p.Wait(ctx)
}

// down ends the control plane and removes its folder.
func down(ctx context.Context, args []string, out io.Writer) (err error) {
	b, err := parseBackground("down", args, func(*flag.FlagSet) {})
	if err != nil {
		return err
	}
	held, err := lockCommand(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	if _, err := os.Stat(b.dir); errors.Is(err, os.ErrNotExist) {
		_, err = fmt.Fprintln(out, "No cluster is up.")
		return err
	}
	if err := b.end(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(b.dir); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "The cluster is down.")
	return err
}

// end terminates the supervisor and waits until it has released its lock. The stored PID
// is valid only while the lock is held: after a crash, another process may have it.
func (b background) end(ctx context.Context) error {
	if running, err := b.running(); err != nil || !running {
		return err
	}
	text, err := os.ReadFile(b.path("pid"))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		return fmt.Errorf("pid %q: %w", text, err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("end process %d: %w", pid, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, fmt.Errorf("process %d did not end within a minute", pid))
	defer cancel()
	held, err := lock.Acquire(ctx, b.path(lockName), func() {})
	if err != nil {
		return err
	}
	return held.Release()
}
