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
	latencies   []time.Duration
	rate        float64 // acted per second
	cpu         time.Duration
	acted       int
	lost, twice int
}

// path measures the way from the edit of a ConfigMap to the new version of its
// Application.
func path(ctx context.Context, out io.Writer, e *env, size size) error {
	if err := e.populate(ctx, size); err != nil {
		return err
	}
	programs := e.programs()
	results := newTable("load", "measured", programs[0].name, programs[1].name, "ratio")
	for _, l := range loads(size) {
		samples := make([][]sample, len(programs))
		for round := range size.rounds {
			for turn := range programs {
				// A B, B A, A B …: a drift of the machine affects both.
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

// populate creates the ConfigMaps that loads edit, and their Applications.
func (e *env) populate(ctx context.Context, size size) error {
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

// measure runs a load once, with a new process of p.
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
	warm := &session{bed: e, namespace: pathNamespace, ledger: o.ledger(), failed: failed}
	if err := errors.Join(warm.burst(ctx, objects/4), warm.ledger.wait(ctx, waitTimeout)); err != nil {
		return s, err
	}

	run := &session{bed: e, namespace: pathNamespace, ledger: o.ledger(), failed: failed}
	began, err := r.cpu()
	if err != nil {
		return s, err
	}
	start := time.Now()
	if err := errors.Join(l.run(ctx, run), run.ledger.wait(ctx, waitTimeout)); err != nil {
		return s, err
	}
	ended, err := r.cpu()
	if err != nil {
		return s, err
	}
	select {
	case <-time.After(settleTime):
	case <-ctx.Done():
		return s, context.Cause(ctx)
	}
	s = run.ledger.sample()
	s.rate = float64(s.acted) / run.ledger.lastVersion.Sub(start).Seconds()
	s.cpu = ended - began
	return s, nil
}

func (l *ledger) sample() sample {
	s := sample{latencies: l.latencies()}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.acted, s.lost, s.twice = l.raised, l.sent-l.raised, l.twice
	return s
}

// report adds the rows of a load.
func report(t *table, name string, ours, theirs []sample) {
	for _, m := range []struct {
		name  string
		value func(sample) float64
	}{
		{"p50, ms", func(s sample) float64 { return quantile(s.latencies, 0.5).Seconds() * 1e3 }},
		{"p99, ms", func(s sample) float64 { return quantile(s.latencies, 0.99).Seconds() * 1e3 }},
		{"acted per second", func(s sample) float64 { return s.rate }},
		{"CPU, s", func(s sample) float64 { return s.cpu.Seconds() }},
		{"CPU per action, ms", func(s sample) float64 { return s.cpu.Seconds() * 1e3 / float64(max(s.acted, 1)) }},
	} {
		a, b := medianOf(ours, m.value), medianOf(theirs, m.value)
		t.row(name, m.name, number(a), number(b), ratio(a, b))
	}
	t.row(name, "acted, lost, twice", counts(ours), counts(theirs), "")
}

func medianOf(samples []sample, value func(sample) float64) float64 {
	var all []float64
	for _, s := range samples {
		all = append(all, value(s))
	}
	return median(all)
}

func counts(samples []sample) string {
	var acted, lost, twice int
	for _, s := range samples {
		acted, lost, twice = acted+s.acted, lost+s.lost, twice+s.twice
	}
	return fmt.Sprintf("%d, %d, %d", acted, lost, twice)
}
