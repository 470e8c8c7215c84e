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

package binaries

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// build builds the programs in a separate module, so that no other dependency affects
// their versions. dir exists only once it has all programs.
func build(ctx context.Context, m Module, g group, dir string, progress io.Writer) error {
	v, err := m.versions()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), "build-")
	if err != nil {
		return fmt.Errorf("build %s: %w", g.description, err)
	}
	out := filepath.Join(work, "out")
	err = errors.Join(
		os.WriteFile(filepath.Join(work, "go.mod"), m.Mod, 0o644),
		os.WriteFile(filepath.Join(work, "go.sum"), m.Sum, 0o644),
		os.Mkdir(out, 0o755),
	)
	if err == nil {
		err = compile(ctx, work, out, v.kubernetes, g, progress)
	}
	for name, pkg := range g.programs {
		if err == nil {
			err = os.Rename(filepath.Join(out, program(pkg)), filepath.Join(out, name))
		}
	}
	if err == nil {
		err = errors.Join(os.RemoveAll(dir), os.Rename(out, dir))
	}
	if err = errors.Join(err, os.RemoveAll(work)); err != nil {
		return fmt.Errorf("build %s: %w", g.description, err)
	}
	return nil
}

// program returns the name of the program of a package: the last part of its path that is
// not a version.
func program(pkg string) string {
	dir, name := path.Split(pkg)
	if regexp.MustCompile(`^v\d+$`).MatchString(name) {
		return path.Base(dir)
	}
	return name
}

func compile(ctx context.Context, work, out, kubernetes string, g group, progress io.Writer) error {
	// Without a version, clients cannot parse the response of /version.
	major, rest, _ := strings.Cut(kubernetes, ".")
	minor, _, _ := strings.Cut(rest, ".")
	const pkg = "-X k8s.io/component-base/version."
	ldflags := fmt.Sprintf("-s -w %sgitVersion=v%s %sgitMajor=%s %sgitMinor=%s", pkg, kubernetes, pkg, major, pkg, minor)
	args := []string{"build", "-v", "-ldflags", ldflags, "-o", out + string(filepath.Separator)}
	cmd := exec.CommandContext(ctx, "go", slices.AppendSeq(args, maps.Values(g.programs))...)
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH, "GOWORK=off", "GO111MODULE=on")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	fmt.Fprintf(progress, "controlplane: building %s; about %s on 2 cores the first time\n", g.description, g.buildTime)
	if err := cmd.Start(); err != nil {
		return err
	}
	errorLines := report(stderr, progress, g.description)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, strings.Join(errorLines, "\n"))
	}
	return nil
}

// report counts the packages that `go build -v` prints to r until r ends, and writes the
// count to progress every ten seconds. It returns the last lines that are not packages.
func report(r io.Reader, progress io.Writer, description string) []string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			lines <- s.Text()
		}
	}()
	start := time.Now()
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	var errorLines []string
	for packages := 0; ; {
		select {
		case line, ok := <-lines:
			elapsed := time.Since(start).Round(time.Second)
			switch {
			case !ok:
				fmt.Fprintf(progress, "controlplane: built %s in %s\n", description, elapsed)
				return errorLines
			case strings.ContainsAny(line, " \t#"):
				errorLines = append(errorLines[max(0, len(errorLines)-30):], line)
			default:
				packages++
			}
		case <-tick.C:
			fmt.Fprintf(progress, "controlplane: building %s: %d packages compiled, %s\n", description, packages, time.Since(start).Round(time.Second))
		}
	}
}
