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
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

const pathNamespace = "path"

// sample is the result of one run of a load with one program.
type sample struct {
	latencies  []time.Duration
	rate       float64 // handled edits per second
	cpu        time.Duration
	handled    int
	lost       int
	duplicates int
}

// path measures the path from the edit of a ConfigMap to the new publishVersion of its
// Application.
func path(ctx context.Context, out io.Writer, e *env, size size) error {
	if err := e.populatePath(ctx, size); err != nil {
		return err
	}
	programs := e.programs()
	results := newTable("load", "measured", programs[0].name, programs[1].name, "ratio")
	for _, l := range loads(size) {
		samples := make([][]sample, len(programs))
		for round := range size.rounds {
			for turn := range programs {
				// The order alternates, so that a drift of the machine affects both programs.
				i := (turn + round) % len(programs)
				s, err := e.measure(ctx, programs[i], l)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", l.name, programs[i].name, err)
				}
				samples[i] = append(samples[i], s)
			}
		}
		report(results, l.name, samples[0], samples[1])
	}
	_, err := fmt.Fprintf(out, "\n## From the edit of a ConfigMap to the raised Application\n\nMedians of %d runs of each program, in turn.\n\n%s", size.rounds, results)
	return err
}

// populatePath creates, once, the namespace, the ConfigMaps that loads edit, and their Applications.
func (e *env) populatePath(ctx context.Context, size size) error {
	if e.populated {
		return nil
	}
	e.populated = true
	if err := e.namespace(ctx, pathNamespace); err != nil {
		return err
	}
	return forEach(ctx, max(objects, size.burst), writers, func(ctx context.Context, i int) error {
		err := errors.Join(
			e.application(ctx, pathNamespace, wanted(i)),
			e.configMap(ctx, pathNamespace, wanted(i), true, 1024),
		)
		if i < objects {
			err = errors.Join(err, e.configMap(ctx, pathNamespace, unwanted(i), false, 1024))
		}
		return err
	})
}

// measure runs a load once, with a new process of p. A burst of other edits warms it up.
func (e *env) measure(ctx context.Context, p program, l load) (s sample, err error) {
	ctx, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	r, err := e.start(ctx, p, pathNamespace)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	o, err := e.observe(ctx, pathNamespace, failed)
	if err != nil {
		return s, err
	}
	warmUp := &session{env: e, namespace: pathNamespace, recorder: o.newRecorder(), failed: failed}
	if err := errors.Join(warmUp.burst(ctx, objects/4), warmUp.recorder.wait(ctx, waitTimeout)); err != nil {
		return s, err
	}

	run := &session{env: e, namespace: pathNamespace, recorder: o.newRecorder(), failed: failed}
	before, err := r.cpu()
	if err != nil {
		return s, err
	}
	start := time.Now()
	if err := errors.Join(l.run(ctx, run), run.recorder.wait(ctx, waitTimeout)); err != nil {
		return s, err
	}
	after, err := r.cpu()
	if err != nil {
		return s, err
	}
	select {
	case <-time.After(settleTime):
	case <-ctx.Done():
		return s, context.Cause(ctx)
	}
	s = run.recorder.sample()
	s.rate = float64(s.handled) / run.recorder.lastHandled.Sub(start).Seconds()
	s.cpu = after - before
	return s, nil
}

// sample returns the results of the run, without rate and cpu.
func (r *recorder) sample() sample {
	s := sample{latencies: r.latencies()}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.handled, s.lost, s.duplicates = r.handled, r.sent-r.handled, r.duplicates
	return s
}

// report adds the rows of a load to t.
func report(t *table, name string, ours, theirs []sample) {
	for _, m := range []struct {
		name  string
		value func(sample) float64
	}{
		{"p50, ms", func(s sample) float64 { return quantile(s.latencies, 0.5).Seconds() * 1e3 }},
		{"p99, ms", func(s sample) float64 { return quantile(s.latencies, 0.99).Seconds() * 1e3 }},
		{"actions per second", func(s sample) float64 { return s.rate }},
		{"CPU, s", func(s sample) float64 { return s.cpu.Seconds() }},
		{"CPU per action, ms", func(s sample) float64 { return s.cpu.Seconds() * 1e3 / float64(max(s.handled, 1)) }},
	} {
		a, b := medianOf(ours, m.value), medianOf(theirs, m.value)
		t.row(name, m.name, number(a), number(b), ratio(a, b))
	}
	t.row(name, "actions, lost, twice", counts(ours), counts(theirs), "")
}

// medianOf returns the median of a value of samples.
func medianOf(samples []sample, value func(sample) float64) float64 {
	var all []float64
	for _, s := range samples {
		all = append(all, value(s))
	}
	return median(all)
}

// counts returns the sums of handled, lost and duplicates.
func counts(samples []sample) string {
	var handled, lost, duplicates int
	for _, s := range samples {
		handled, lost, duplicates = handled+s.handled, lost+s.lost, duplicates+s.duplicates
	}
	return fmt.Sprintf("%d, %d, %d", handled, lost, duplicates)
}
