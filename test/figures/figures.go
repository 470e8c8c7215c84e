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

// Package figures writes the figures of tests into the docs.
package figures

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Machine returns the time, the version and the machine of figures, as a sentence.
func Machine(ctx context.Context) string {
	commit, err := exec.CommandContext(ctx, "git", "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		commit = []byte("unknown")
	}
	return fmt.Sprintf("%s, kube-trigger %s, %d CPUs (%s), %s/%s, %s, load %s.",
		time.Now().UTC().Format("2006-01-02 15:04 MST"), strings.TrimSpace(string(commit)), runtime.NumCPU(),
		Field("/proc/cpuinfo", "model name"), runtime.GOOS, runtime.GOARCH, runtime.Version(), load())
}

// Field returns the first value of a field in a file of "name: value" lines, or "unknown".
func Field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(text))[0]
}

// Replace replaces the part of a Markdown file that command writes.
func Replace(file, command, text string) error {
	begin, end := fmt.Sprintf("<!-- begin: written by `%s` -->\n", command), "<!-- end -->\n"
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, after, hasBegin := strings.Cut(string(content), begin)
	_, after, hasEnd := strings.Cut(after, end)
	if !hasBegin || !hasEnd {
		return fmt.Errorf("%s: lines %q and %q not found", file, begin, end)
	}
	return os.WriteFile(file, []byte(before+begin+text+end+after), 0o644) //nolint:gosec // a public file
}
