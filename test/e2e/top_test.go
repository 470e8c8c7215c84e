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

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// gets tests `kube-trigger get` with the triggers of explains.
func gets(t *testing.T, ns, user string) {
	cluster.Eventually(t, "table of triggers", func(ctx context.Context) error {
		got, err := command(ctx, user, "get")
		if err != nil {
			return err
		}
		for _, want := range []string{
			`(?m)^NAMESPACE +SERVICE +TRIGGER +STATE +REASON +LAST ACTION +LAG +SUCCEEDED +FAILED +DEAD LETTERS$`,
			`(?m)^` + ns + ` +main +kind-missing +Waiting +KindNotFound +never +0s +0 +0 +0$`,
			`(?m)^` + ns + ` +main +own-write +Running +\S+ ago +0s +1 +0 +0$`,
			`(?m)^` + ns + ` +main +circle +Running +LoopBroken +\S+ ago `,
			`(?m)^` + ns + ` +bomb +quarantined +Quarantined +Hung +never `,
		} {
			if !regexp.MustCompile(want).MatchString(got) {
				return fmt.Errorf("got %s\nwant %s", got, want)
			}
		}
		return nil
	})
	text, err := command(t.Context(), user, "get", "bomb", "-o", "json")
	var got app.Overview
	if err == nil {
		err = json.Unmarshal([]byte(text), &got)
	}
	if err != nil || len(got.Triggers) != 1 || got.Triggers[0].Name != "quarantined" || got.Triggers[0].Metrics == nil {
		t.Errorf("get bomb -o json: got %s, %v", text, err)
	}
}

// tops tests `kube-trigger top` on a pseudo-terminal, and its plain output.
func tops(t *testing.T, ns, user string) {
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(ns + ` +main +failing +Running +0\.0 +0\.0 +0\.0 +1 +`)
	plain, err := command(t.Context(), user, "top", "--interval", "1s")
	if err != nil || !row.MatchString(plain) || strings.Contains(plain, "\x1b") {
		t.Errorf("plain output: got %q, %v, want %s", plain, err, row)
	}
	cmd := exec.CommandContext(t.Context(), program, "top", "--interval", "1s", "--kubeconfig", user) //nolint:gosec // own program
	cmd.Env = append(cmd.Environ(), "TERM=xterm-256color")
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 200})
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	rate := regexp.MustCompile(`\d\.\d`)
	var screen screen
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(&screen, terminal) // ends with an error when the program ends
	}()
	// After the first screen, whose rates are not known, only what changes is written.
	cluster.Eventually(t, "triggers, and then rates", func(context.Context) error {
		if got := screen.String(); !strings.Contains(got, "NAMESPACE") || !strings.Contains(got, "Running") || !rate.MatchString(got) {
			return fmt.Errorf("got %q, want a table, and then %s", got, rate)
		}
		return nil
	})
	if _, err := terminal.WriteString("q"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("top: got %v after q, want no error", err)
	}
	<-copied
	if got := screen.String(); !strings.Contains(got, "\x1b[?1049h") || !strings.Contains(got, "\x1b[?1049l") {
		t.Errorf("got %q, want the alternate screen to be entered and left", got)
	}
}

// screen records what a program writes to a terminal.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
