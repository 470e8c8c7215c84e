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

package webhook_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

// childStore is the variable that makes this binary a process with one webhook,
// whose memory can be measured without that of its callers.
const childStore = "WEBHOOK_TEST_STORE"

// fakeSink is a sink whose events are done at once.
type fakeSink struct{ events atomic.Int64 }

func (s *fakeSink) Deliver(_ context.Context, _ event.Event, done func()) error {
	s.events.Add(1)
	done()
	return nil
}

// child serves a webhook until its input ends. It prints its address; then by
// how much its memory was up at most, in bytes, and how many events it
// delivered.
func child(path string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := file.Open(ctx, path, file.Options{})
	if err != nil {
		return err
	}
	saver := store.NewSaver(s, store.SaverOptions{
		MaxDelay: 25 * time.Millisecond, BatchSize: 1000, GracePeriod: time.Minute, Clock: clock.RealClock{}, OnError: func(error) {},
	})
	saved := make(chan error, 1)
	saving, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { saved <- saver.Run(saving) }()
	server := webhook.NewServer("127.0.0.1:0")
	compile := webhook.New(webhook.Options{Server: server, Clock: clock.RealClock{}, Queue: s, Checkpoints: s, Saver: saver})
	sub, problems := compile(map[string]any{"auth": "none"}, source.Spec{TriggerRef: event.TriggerRef{Name: "t", Namespace: "n"}})
	if len(problems) > 0 {
		return problems
	}
	sink, ended := &fakeSink{}, make(chan error, 1)
	go func() { ended <- sub.Open(nil).Run(ctx, sink) }()
	for server.Addr() == nil {
		time.Sleep(time.Millisecond)
	}
	runtime.GC()
	before := inUse()
	peak := before
	fmt.Fprintln(os.Stdout, server.Addr())
	inputClosed := make(chan struct{})
	go func() {
		defer close(inputClosed)
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	for running := true; running; {
		select {
		case <-inputClosed:
			running = false
		case <-time.After(5 * time.Millisecond):
			peak = max(peak, inUse())
		}
	}
	cancel()
	if err := <-ended; err != nil {
		return err
	}
	stop()
	if err := <-saved; err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, peak-before, sink.events.Load())
	return s.Close()
}

// inUse is the memory that heap and stacks take, in bytes.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// process is a child.
type process struct {
	url   string
	cmd   *exec.Cmd
	stdin io.Closer
	out   *bufio.Reader
}

func spawn(t testing.TB) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childStore+"="+filepath.Join(t.TempDir(), "store.db"))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, stdin: stdin, out: bufio.NewReader(stdout)}
	p.url = "http://" + p.line(t) + "/n/t"
	return p
}

func (p *process) line(t testing.TB) string {
	t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// shutdown ends the child, and returns by how much its memory was up, and how many
// events it has delivered.
func (p *process) shutdown(t testing.TB) (growth, events int) {
	t.Helper()
	p.stdin.Close()
	if _, err := fmt.Sscan(p.line(t), &growth, &events); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return growth, events
}

// resident returns the most memory that the operating system has given to the
// child, in bytes, where it says so.
func (p *process) resident() int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n << 10
		}
	}
	return 0
}
