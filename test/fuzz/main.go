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

// Command fuzz runs all fuzz targets of the module for a total time, and keeps the inputs
// that reach new code: they become seeds, which every test run tries.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// maxSeeds and maxSeedBytes limit the inputs that are kept for a target.
	maxSeeds, maxSeedBytes = 20, 2 << 10
)

// ownDeadline is what go test prints when a target failed with nothing but the end of its time.
var ownDeadline = regexp.MustCompile(`(?m)^--- FAIL: Fuzz\w+ \(.*\)\n    context deadline exceeded\nFAIL$`)

// target is a fuzz target.
type target struct{ dir, name string }

func main() {
	total := flag.Duration("time", time.Minute, "time of all targets together, without compilation")
	keep := flag.Bool("keep", false, "keep inputs that reach new code in testdata/fuzz")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *total, *keep); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, total time.Duration, keep bool) error {
	targets, err := findTargets("pkg")
	if err != nil {
		return err
	}
	var failed error
	each := max(time.Second, (total / time.Duration(len(targets))).Round(time.Second/10))
	fmt.Printf("%d targets, %s each\n", len(targets), each)
	for _, t := range targets {
		err := t.fuzz(ctx, each)
		if keep {
			err = errors.Join(err, t.keep(ctx))
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s in %s: %w", t.name, t.dir, err))
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return failed
}

// findTargets returns the fuzz targets of the packages below root.
func findTargets(root string) ([]target, error) {
	declaration := regexp.MustCompile(`^func (Fuzz\w+)\(f \*testing\.F\)`)
	var targets []target
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			if m := declaration.FindStringSubmatch(lines.Text()); m != nil {
				targets = append(targets, target{filepath.Dir(path), m[1]})
			}
		}
		return lines.Err()
	})
	if err == nil && len(targets) == 0 {
		err = fmt.Errorf("no fuzz targets below %s", root)
	}
	return targets, err
}

// fuzz runs t for a time. At its end Go's coordinator may take its own deadline for a failure
// (golang/go#75804, mended in Go 1.27); a real failure writes the input that caused it.
func (t target) fuzz(ctx context.Context, d time.Duration) error {
	//nolint:gosec // names of this module
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", d.String(), "-fuzzminimizetime", "5s", "./"+t.dir)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(os.Stdout, &output), os.Stderr
	err := cmd.Run()
	if err != nil && ownDeadline.Match(output.Bytes()) && !bytes.Contains(output.Bytes(), []byte("Failing input written to")) {
		fmt.Printf("%s ended at its deadline without a failing input\n", t.name)
		return nil
	}
	return err
}

// keep copies the smallest inputs that reached new code to the seeds of t.
func (t target) keep(ctx context.Context) error {
	cache, err := exec.CommandContext(ctx, "go", "env", "GOCACHE").Output()
	if err != nil {
		return err
	}
	pkg, err := exec.CommandContext(ctx, "go", "list", "./"+t.dir).Output() //nolint:gosec // a package of this module
	if err != nil {
		return err
	}
	from := filepath.Join(strings.TrimSpace(string(cache)), "fuzz", strings.TrimSpace(string(pkg)), t.name)
	to := filepath.Join(t.dir, "testdata", "fuzz", t.name)
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing new
	} else if err != nil {
		return err
	}
	var inputs []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.Size() <= maxSeedBytes {
			inputs = append(inputs, info)
		}
	}
	slices.SortFunc(inputs, func(a, b fs.FileInfo) int {
		return cmp.Or(cmp.Compare(a.Size(), b.Size()), cmp.Compare(a.Name(), b.Name()))
	})
	if err := os.MkdirAll(to, 0o755); err != nil { //nolint:gosec // a folder of the repository
		return err
	}
	present, err := os.ReadDir(to)
	if err != nil {
		return err
	}
	for _, info := range inputs[:min(len(inputs), max(0, maxSeeds-len(present)))] {
		text, err := os.ReadFile(filepath.Join(from, info.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, info.Name()), text, 0o644); err != nil { //nolint:gosec // a file of the repository
			return err
		}
	}
	return nil
}
