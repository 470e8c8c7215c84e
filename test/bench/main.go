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

// Command bench measures kube-trigger and prints Markdown tables. It compares filters with
// cel-go. It compares memory, and the path from the edit of a ConfigMap to the new
// publishVersion of an Application, with a hand-written client-go program or with another
// build of kube-trigger. It does not check the results. It runs in the root of the
// repository.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	only := flag.String("only", strings.Join(sections(), ","), "sections to measure, separated by commas")
	quick := flag.Bool("quick", false, "measure less, in two minutes; the numbers are less precise")
	baseline := flag.String("baseline", "", "kube-trigger binary to compare with, instead of the hand-written program")
	rounds := flag.Int("rounds", 0, "runs of each program per load; 0 for 5, or for 1 with -quick")
	flag.Parse()
	size := full()
	if *quick {
		size = small()
	}
	if *rounds > 0 {
		size.rounds = *rounds
	}
	if err := run(ctx, os.Stdout, strings.Split(*only, ","), *baseline, size); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// sections returns the values of -only.
func sections() []string { return []string{"filters", "path", "scale", "exporter", "memory"} }

// size is the amount of measurement.
type size struct {
	filter   time.Duration // per filter and program
	rounds   int           // runs of each program per load
	single   int           // edits of the load "one at a time"
	burst    int           // edits of the load "at once"
	duration time.Duration // of the loads with a rate
	watched  []int         // numbers of ConfigMaps, for memory
	settle   time.Duration // pause before memory is read
}

func full() size {
	return size{
		filter: time.Second, rounds: 5, single: 300, burst: 1000, duration: 20 * time.Second,
		watched: []int{1, 10_000, 100_000}, settle: 30 * time.Second,
	}
}

func small() size {
	return size{
		filter: 100 * time.Millisecond, rounds: 1, single: 100, burst: 300, duration: 5 * time.Second,
		watched: []int{1, 5_000}, settle: 5 * time.Second,
	}
}

func run(ctx context.Context, out io.Writer, only []string, baseline string, size size) (err error) {
	for _, name := range only {
		if !slices.Contains(sections(), name) {
			return fmt.Errorf("-only %q: must be one of %s", name, strings.Join(sections(), ", "))
		}
	}
	// The API server uses processor time, so filters are measured before it starts.
	var filterTable bytes.Buffer
	if slices.Contains(only, "filters") {
		if err := filters(ctx, &filterTable, size); err != nil {
			return fmt.Errorf("filters: %w", err)
		}
	}
	var e *env
	if len(only) > 1 || only[0] != "filters" {
		if e, err = newEnv(ctx, baseline); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, e.close()) }()
	}
	if err := describe(ctx, out, e); err != nil {
		return err
	}
	if _, err := filterTable.WriteTo(out); err != nil {
		return err
	}
	if slices.Contains(only, "path") {
		if err := path(ctx, out, e, size); err != nil {
			return fmt.Errorf("path: %w", err)
		}
	}
	if slices.Contains(only, "scale") {
		if err := scale(ctx, out, e, size); err != nil {
			return fmt.Errorf("scale: %w", err)
		}
	}
	if slices.Contains(only, "exporter") {
		if err := exporter(ctx, out, e, size); err != nil {
			return fmt.Errorf("exporter: %w", err)
		}
	}
	if slices.Contains(only, "memory") {
		if err := memory(ctx, out, e, size); err != nil {
			return fmt.Errorf("memory: %w", err)
		}
	}
	return nil
}
