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
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

const memoryNamespace = "memory"

// memory measures the memory of a process that watches many ConfigMaps of 1 KiB.
func memory(ctx context.Context, out io.Writer, e *env, size size) error {
	if err := e.namespace(ctx, memoryNamespace); err != nil {
		return err
	}
	programs := e.programs()
	t := newTable("watched ConfigMaps", "measured", programs[0].name, programs[1].name, "ratio")
	created := 0
	for _, n := range size.watched {
		first := created
		err := forEach(ctx, n-first, 2*writers, func(ctx context.Context, i int) error {
			return e.configMap(ctx, memoryNamespace, fmt.Sprintf("watched-%06d", first+i), false, 4096)
		})
		if err != nil {
			return err
		}
		created = n
		var footprints [2]footprint
		for i, p := range programs {
			if footprints[i], err = e.measureFootprint(ctx, p, size.settle); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
		ours, theirs := footprints[0], footprints[1]
		t.row(fmt.Sprint(n), "RSS, MiB", number(ours.rss), number(theirs.rss), ratio(ours.rss, theirs.rss))
		t.row(fmt.Sprint(n), "largest RSS, MiB", number(ours.peak), number(theirs.peak), ratio(ours.peak, theirs.peak))
		t.row(fmt.Sprint(n), "private, MiB", number(ours.private), number(theirs.private), ratio(ours.private, theirs.private))
		t.row(fmt.Sprint(n), "largest above RSS, MiB", number(ours.peak-ours.rss), number(theirs.peak-theirs.rss), ratio(ours.peak-ours.rss, theirs.peak-theirs.rss))
		t.row(fmt.Sprint(n), "live heap, MiB", number(ours.heap), number(theirs.heap), ratio(ours.heap, theirs.heap))
	}
	_, err := fmt.Fprintf(out, "\n## Memory\n\nAfter %s without a change.\n\n%s", size.settle, t)
	return err
}

// footprint is the memory of a process, in MiB. The heap is the live heap after the last
// garbage collection.
type footprint struct{ rss, private, peak, heap float64 }

// measureFootprint starts p, and returns its footprint after settle.
func (e *env) measureFootprint(ctx context.Context, p program, settle time.Duration) (f footprint, err error) {
	r, err := e.start(ctx, p, memoryNamespace, "GODEBUG=gctrace=1")
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return f, context.Cause(ctx)
	}
	return r.footprint()
}

func (r *process) footprint() (f footprint, err error) {
	status := fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid)
	if f.rss, err = mebibytes(field(status, "VmRSS")); err != nil {
		return f, err
	}
	if f.peak, err = mebibytes(field(status, "VmHWM")); err != nil {
		return f, err
	}
	for _, name := range []string{"Private_Clean", "Private_Dirty"} {
		n, err := mebibytes(field(fmt.Sprintf("/proc/%d/smaps_rollup", r.cmd.Process.Pid), name))
		if err != nil {
			return f, err
		}
		f.private += n
	}
	f.heap, err = r.liveHeap()
	return f, err
}

// mebibytes converts a value of /proc, such as "12 kB", to MiB.
func mebibytes(text string) (float64, error) {
	n, err := strconv.ParseFloat(strings.TrimSuffix(text, " kB"), 64)
	return n / 1024, err
}

// liveHeap returns the live heap after the last garbage collection, in MiB. It parses the
// output of GODEBUG=gctrace=1: "gc 7 …, 12->13->8 MB, …".
func (r *process) liveHeap() (float64, error) {
	text, err := os.ReadFile(r.output)
	if err != nil {
		return 0, err
	}
	heap := 0.0
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(line, []byte("gc ")) {
			continue
		}
		for part := range strings.SplitSeq(string(line), ", ") {
			if sizes := strings.Split(strings.TrimSuffix(part, " MB"), "->"); len(sizes) == 3 {
				if heap, err = strconv.ParseFloat(sizes[2], 64); err != nil {
					return 0, err
				}
			}
		}
	}
	return heap, nil
}
