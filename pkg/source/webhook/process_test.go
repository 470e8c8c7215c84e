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

// childStore is an environment variable that holds the store's path. With it, the test
// binary runs one webhook, so that its memory is measured without that of the clients.
const childStore = "WEBHOOK_TEST_STORE"

// fakeSink acknowledges events at once.
type fakeSink struct{ events atomic.Int64 }

func (s *fakeSink) Deliver(_ context.Context, _ event.Event, d source.Delivery) error {
	s.events.Add(1)
	d.Done()
	return nil
}

// child serves a webhook until its standard input is closed. It prints the server's
// address, and at the end the peak growth of its memory in bytes and the number of
// delivered events.
func child(path string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := file.Open(ctx, path, file.Options{})
	if err != nil {
		return err
	}
	saver := store.NewBatchSaver(s, store.BatchSaverOptions{
		MaxDelay: 25 * time.Millisecond, BatchSize: 1000, GracePeriod: time.Minute, Clock: clock.RealClock{}, OnError: func(error) {},
	})
	saved := make(chan error, 1)
	saving, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { saved <- saver.Run(saving) }()
	server := webhook.NewServer("127.0.0.1:0")
	factory := webhook.New(webhook.Options{Server: server, Clock: clock.RealClock{}, Queue: s.Queue(), Checkpoints: s.Checkpoints(), Saver: saver})
	sub, diags := factory.Compile(map[string]any{"auth": "none"}, source.Spec{TriggerRef: event.TriggerRef{Name: "t", Namespace: "n"}})
	if len(diags) > 0 {
		return diags
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

// inUse returns the memory of heap and stacks, in bytes.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// process is a running child.
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

// shutdown ends the child, and returns the peak growth of its memory in bytes and the
// number of delivered events.
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

// resident returns the peak resident set size of the child in bytes, or 0 if it is not
// available.
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
