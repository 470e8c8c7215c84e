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

package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kubevela/kube-trigger/test/program"
)

// waitTimeout is the maximum time of any wait.
const waitTimeout = 2 * time.Minute

// environment is shared by all scenarios.
type environment struct {
	// program builds kube-trigger, once, and returns its path.
	program func() (string, error)
}

func newEnvironment(t *testing.T) *environment {
	dir := t.TempDir()
	return &environment{program: sync.OnceValues(func() (string, error) {
		return program.Build(t.Context(), dir, program.RaceEnabled())
	})}
}

// installation is a configuration of kube-trigger with its store. Its workers run one
// after the other.
type installation struct {
	t    *harness
	dir  string
	args []string
	// memoryLimit limits the data segment of workers, in MiB; 0 for no limit.
	memoryLimit int
	// runs counts the started workers, which number the log files.
	runs int
}

// install writes a configuration. args are additional arguments of its workers.
func (t *harness) install(kubeconfig, config string, args ...string) *installation {
	t.Helper()
	i := &installation{t: t, dir: t.TempDir()}
	i.args = append([]string{
		"run", "--kubeconfig", kubeconfig, "--log-format", "json",
		"--config", i.write("config.yaml", config), "--actions-dir", filepath.Dir(i.write("actions/record.cue", recordAction)),
		"--store", i.store(), "--allow-address", "127.0.0.1", // the recorder's address
		"--metrics-addr", "127.0.0.1:0", // a free port, which the worker logs
	}, args...)
	return i
}

// store returns the path of the store.
func (i *installation) store() string { return filepath.Join(i.dir, "store") }

func (i *installation) write(name, text string) string {
	i.t.Helper()
	file := filepath.Join(i.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		i.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		i.t.Fatal(err)
	}
	return file
}

// worker is a process of an installation.
type worker struct {
	t   *harness
	cmd *exec.Cmd
	// log is the path of the log file.
	log string
	// ended holds the result of Wait once the process has ended.
	ended chan error
}

// start starts a worker.
func (i *installation) start() *worker {
	i.t.Helper()
	file, err := i.t.program()
	if err != nil {
		i.t.Fatal(err)
	}
	i.runs++
	w := &worker{t: i.t, log: filepath.Join(i.dir, fmt.Sprintf("worker-%d.log", i.runs)), ended: make(chan error, 1)}
	out, err := os.Create(w.log)
	if err != nil {
		i.t.Fatal(err)
	}
	defer out.Close()
	w.cmd = exec.Command(file, i.args...) //nolint:gosec // own program, and ended by the harness
	w.cmd.Env = append(os.Environ(), "GORACE=halt_on_error=1")
	if i.memoryLimit > 0 {
		args := append([]string{"-c", `ulimit -S -d "$0"; exec "$@"`, fmt.Sprint(i.memoryLimit << 10), file}, i.args...)
		w.cmd = exec.Command("/bin/sh", args...) //nolint:gosec // own program, and ended by the harness
		w.cmd.Env = append(os.Environ(), fmt.Sprintf("GOMEMLIMIT=%dMiB", i.memoryLimit/10*9))
	}
	w.cmd.Stdout, w.cmd.Stderr = out, out
	if err := w.cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
	go func() { w.ended <- w.cmd.Wait() }()
	i.t.Cleanup(w.cleanup)
	return w
}

// startWatching starts a worker and waits until it watches.
func (i *installation) startWatching() *worker {
	i.t.Helper()
	w := i.start()
	w.waitForLog(`"msg":"watching"`)
	return w
}

// waitForLog waits until the log of the worker contains text.
func (w *worker) waitForLog(text string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), waitTimeout)
	defer cancel()
	for !strings.Contains(w.output(), text) {
		select {
		case err := <-w.ended:
			w.ended <- err
			w.t.Fatalf("wait for log %q: worker ended with %v:\n%s", text, err, w.output())
		case <-ctx.Done():
			w.t.Fatalf("wait for log %q: timed out after %s:\n%s", text, waitTimeout, w.output())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// logged returns the value of name in the first log entry with the message.
func (w *worker) logged(message, name string) string {
	w.t.Helper()
	for line := range strings.Lines(w.output()) {
		var l map[string]any
		if json.Unmarshal([]byte(line), &l) == nil && l["msg"] == message {
			return fmt.Sprint(l[name])
		}
	}
	w.t.Fatalf("no log entry with message %q:\n%s", message, w.output())
	return ""
}

func (w *worker) output() string {
	text, err := os.ReadFile(w.log)
	if err != nil {
		w.t.Error(err)
	}
	return string(text)
}

// kill kills the worker with SIGKILL.
func (w *worker) kill() {
	w.t.Helper()
	if err := w.cmd.Process.Kill(); err != nil {
		w.t.Fatalf("kill worker: %v\n%s", err, w.output())
	}
	_ = w.wait() // an error: it was killed
}

// terminate sends SIGTERM and returns the time until the worker has ended.
func (w *worker) terminate() time.Duration {
	w.t.Helper()
	start := time.Now()
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		w.t.Errorf("terminate worker: %v\n%s", err, w.output())
	}
	if err := w.wait(); err != nil {
		w.t.Errorf("worker exited with %v, want nil:\n%s", err, w.output())
	}
	return time.Since(start)
}

func (w *worker) wait() error {
	err := <-w.ended
	w.ended <- err
	return err
}

// cleanup kills the worker if it still runs, and checks the log for crashes and races.
func (w *worker) cleanup() {
	_ = w.cmd.Process.Kill() // it may have ended
	_ = w.wait()
	for _, text := range []string{"panic:", "DATA RACE", "fatal error:"} {
		if output := w.output(); strings.Contains(output, text) {
			w.t.Errorf("the log contains %q:\n%s", text, output)
		}
	}
	if w.t.Failed() {
		lines := bytes.Split([]byte(w.output()), []byte("\n"))
		w.t.Logf("the end of %s:\n%s", filepath.Base(w.log), bytes.Join(lines[max(0, len(lines)-30):], []byte("\n")))
	}
}
