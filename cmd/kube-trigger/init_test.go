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
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// TestInit_Terminal answers the questions of init on a pseudo-terminal.
func TestInit_Terminal(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), name, "init", "trigger")
	cmd.Dir = dir
	terminal, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	out := bufio.NewReader(terminal)
	for _, step := range []struct{ question, answer string }{
		{"Source, of `kube-trigger list sources` [resource-watcher]: ", ""},
		{"Kind of the objects [ConfigMap]: ", "Secret"},
		{"Action, of `kube-trigger list actions` [log]: ", "restart-workload"},
		{"File [trigger.yaml]: ", "mine.yaml"},
	} {
		var got strings.Builder
		for !strings.HasSuffix(got.String(), step.question) {
			c, err := out.ReadByte()
			if err != nil {
				t.Fatalf("got %q, %v, want the question %q", got.String(), err, step.question)
			}
			got.WriteByte(c)
		}
		if _, err := terminal.WriteString(step.answer + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "mine.yaml"))
	if err != nil || !strings.Contains(string(text), "kind: Secret\n") || !strings.Contains(string(text), "type: restart-workload\n") {
		t.Errorf("got %v, %s", err, text)
	}
}

// TestInit_EndOfInput: without answers, nothing is written.
func TestInit_EndOfInput(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), name, "init", "action")
	cmd.Dir = dir
	terminal, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	if _, err := terminal.WriteString("\x04"); err != nil { // end of input
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("got no error")
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("got %v, %v, want no files", files, err)
	}
}
