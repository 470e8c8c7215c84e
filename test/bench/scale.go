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
	"strings"
	"time"
)

const (
	// manyTriggers is the number of triggers on one kind, of which one accepts each event, and
	// startTriggers that of a program whose start is measured.
	manyTriggers, startTriggers = 1000, 100
	scaleRate                   = 100 // edits per second
)

// scale measures many triggers: what they cost while one of them handles each event, and how long the
// program takes from its start to the first event that it handles.
func scale(ctx context.Context, out io.Writer, e *env, size size) error {
	if err := e.populatePath(ctx, size); err != nil {
		return err
	}
	programs := []program{
		e.trigger("many", func(namespace string) string { return triggerList(namespace, manyTriggers) }),
		e.trigger("one", triggerConfig),
	}
	t := newTable(fmt.Sprintf("%d events a second", scaleRate), "measured", fmt.Sprintf("%d triggers", manyTriggers), "1 trigger", "ratio")
	load := load{"", func(ctx context.Context, s *session) error { return s.constantRate(ctx, scaleRate, 1, size.duration) }}
	samples := make([][]sample, len(programs))
	for round := range size.rounds {
		for turn := range programs {
			i := (turn + round) % len(programs)
			s, err := e.measure(ctx, programs[i], load)
			if err != nil {
				return fmt.Errorf("%s: %w", programs[i].name, err)
			}
			samples[i] = append(samples[i], s)
		}
	}
	report(t, "one trigger accepts each", samples[0], samples[1])
	cores := func(s sample) float64 { return s.cpu.Seconds() / size.duration.Seconds() }
	many, one := medianOf(samples[0], cores), medianOf(samples[1], cores)
	t.row("one trigger accepts each", "cores", number(many), number(one), ratio(many, one))
	if _, err := fmt.Fprintf(out, "\n## Many triggers\n\nMedians of %d runs of each program, in turn.\n\n%s", size.rounds, t); err != nil {
		return err
	}
	start := e.trigger("start", func(namespace string) string { return triggerList(namespace, startTriggers) })
	var times []float64
	for range size.rounds {
		d, err := e.firstEvent(ctx, start)
		if err != nil {
			return err
		}
		times = append(times, d.Seconds())
	}
	_, err := fmt.Fprintf(out, "\nFrom the start of the program to the first event that is handled, with %d triggers: %s s.\n", startTriggers, number(median(times)))
	return err
}

// triggerList returns a configuration with n triggers, each of which accepts the edits of one ConfigMap.
// What matters of them is that their filters and actions differ.
func triggerList(namespace string, n int) string {
	var b strings.Builder
	b.WriteString("triggers:\n")
	for i := range n {
		fmt.Fprintf(&b, `  - name: bump-%d
    source:
      type: resource-watcher
      properties: {apiVersion: v1, kind: ConfigMap, namespace: %q, events: [update]}
    filter: context.data.metadata.name == %q
    action:
      type: bump-application-revision
      properties: {nameSelector: {name: %[3]q}, namespace: %[2]q}
`, i, namespace, wanted(i))
	}
	return b.String()
}

// firstEvent returns the time from the start of a program to the first version that it raises. A
// ConfigMap is edited all the time.
func (e *env) firstEvent(ctx context.Context, p program) (d time.Duration, err error) {
	ctx, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	o, err := e.observe(ctx, pathNamespace, failed)
	if err != nil {
		return 0, err
	}
	raised := make(chan time.Time, 1)
	o.mu.Lock()
	o.onVersion = func(_ string, _ int, received time.Time) {
		select {
		case raised <- received:
		default:
		}
	}
	o.mu.Unlock()
	go func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if err := e.edit(ctx, pathNamespace, wanted(0)); err != nil {
				failed(err)
			}
		}
	}()
	begin := time.Now()
	r, err := e.start(ctx, p, pathNamespace)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	select {
	case received := <-raised:
		return received.Sub(begin), nil
	case <-time.After(waitTimeout):
		return 0, errors.New("no event was handled")
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}
