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
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// describe prints the time, the machine, its load, and versions.
func describe(ctx context.Context, out io.Writer, e *env) error {
	commit, err := exec.CommandContext(ctx, "git", "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		commit = []byte("unknown")
	}
	fmt.Fprintf(out, "%s, %d CPUs (%s), %s of memory, %s. Load when it started: %s.\n\n",
		time.Now().UTC().Format("2006-01-02 15:04 MST"), runtime.NumCPU(), field("/proc/cpuinfo", "model name"),
		field("/proc/meminfo", "MemTotal"), runtime.GOOS+"/"+runtime.GOARCH, firstWords("/proc/loadavg", 3))
	versions := []string{"kube-trigger " + strings.TrimSpace(string(commit)), runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			switch m.Path {
			case "cuelang.org/go", "github.com/google/cel-go", "k8s.io/client-go":
				versions = append(versions, m.Path+" "+m.Version)
			}
		}
	}
	if e != nil {
		server, err := e.client.Discovery().ServerVersion()
		if err != nil {
			return err
		}
		versions = append(versions, "kube-apiserver "+server.GitVersion)
	}
	fmt.Fprintln(out, strings.Join(versions, ", ")+".")
	return nil
}

// field returns the first value of name in a file of "name: value" lines; "unknown name" if
// there is none.
func field(file, name string) string {
	f, err := os.Open(file)
	if err != nil {
		return "unknown " + name
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown " + name
}

// firstWords returns the first n words of a file.
func firstWords(file string, n int) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	words := strings.Fields(string(text))
	return strings.Join(words[:min(n, len(words))], " ")
}

// allocated returns the number of bytes that a call of f allocates, on average.
func allocated(f func() (bool, error)) (uint64, error) {
	const calls = 100
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		if _, err := f(); err != nil {
			return 0, err
		}
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / calls, nil
}

// processTime returns the processor time of this process, including garbage collection.
func processTime() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}
