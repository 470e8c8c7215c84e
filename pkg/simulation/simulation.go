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

// Package simulation says what triggers would have done with the events of a journal.
//
// Each trigger runs alone in an engine, whose stages, filter and policy are those of a
// worker, with a clock that shows the times of the journal: windows, rate limits and ticks
// pass as they would have. Only the action does nothing, and succeeds at once. Waits that
// are left at the end of the journal are waited for.
//
//   - The events of a trigger are those that its own source has recorded, those of a watch of
//     more objects, or the ticks of its schedule between the first and the last record.
//   - An event is the trigger's own write if the trigger's field manager wrote it.
//   - A trigger that has as many events in progress as its queue holds gets the next one when
//     there is room; other triggers do not wait for it.
package simulation

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/journal"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// Options configure Run.
type Options struct {
	// Journal has the events.
	Journal *journal.Journal
	// Triggers are valid triggers of one configuration, and Compare those of another one; nil
	// for none.
	Triggers, Compare []trigger.Compiled
	// Since and Until limit the events; zero for no limit.
	Since, Until time.Time
	// Observe receives the decisions of Triggers, those of one trigger in order. It is called
	// concurrently. Optional.
	Observe func(engine.Decision)
}

// Run simulates the triggers. Problems of the journal are errors.
func Run(ctx context.Context, o Options) (Report, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &simulation{Options: o, from: o.Journal.From, to: o.Journal.To, wanted: map[journal.Stream]expr.FieldSet{}}
	if s.from.Before(o.Since) {
		s.from = o.Since
	}
	if !o.Until.IsZero() && o.Until.Before(s.to) {
		s.to = o.Until
	}
	observe := o.Observe
	if observe == nil {
		observe = func(engine.Decision) {}
	}
	lanes, err := s.lanes(ctx, o.Triggers, observe)
	if err != nil {
		return Report{}, err
	}
	compared, err := s.lanes(ctx, o.Compare, func(engine.Decision) {})
	if err != nil {
		return Report{}, err
	}
	s.all = append(append(s.all, lanes...), compared...)
	err = s.run(ctx)
	for _, l := range s.all {
		err = errors.Join(err, l.stop())
	}
	if err != nil {
		return Report{}, err
	}
	return s.report(lanes, compared), nil
}

// simulation is one call of Run.
type simulation struct {
	Options
	from, to time.Time
	all      []*lane
	// wanted are the streams that lanes read, and the fields of their events' data on which a
	// decision depends.
	wanted map[journal.Stream]expr.FieldSet
	// records is the number of records from from to to.
	records int
}

// occurrence is an event of a stream.
type occurrence struct {
	stream journal.Stream
	source.Occurrence
}

// decoded is a block whose events are decoded.
type decoded struct {
	events []occurrence
	// records is the number of records in the time that is simulated.
	records int
	err     error
}

// run feeds the journal to all lanes. Blocks are decoded concurrently with the evaluation of
// earlier ones, each once for all lanes.
func (s *simulation) run(ctx context.Context) error {
	ahead := 2 * runtime.GOMAXPROCS(0)
	pending := make(chan chan decoded, ahead)
	var read error
	go func() {
		defer close(pending)
		read = s.Journal.Blocks(func(b journal.Block) error {
			first, last := b.Times()
			if last.Before(s.from) || first.After(s.to) {
				return nil
			}
			result := make(chan decoded, 1)
			select {
			case pending <- result:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			go func() { result <- s.decode(b) }()
			return nil
		})
	}()
	for result := range pending {
		d := <-result
		if d.err == nil {
			d.err = s.each(func(l *lane) error { return l.feedAll(ctx, d.events) })
		}
		if d.err != nil {
			return d.err
		}
		s.records += d.records
	}
	if read != nil {
		return read
	}
	return s.each(func(l *lane) error { return l.finish(ctx, s.to) })
}

// each calls f for all lanes, concurrently.
func (s *simulation) each(f func(*lane) error) error {
	var (
		next  = make(chan *lane, len(s.all))
		errs  = make([]error, runtime.GOMAXPROCS(0))
		group sync.WaitGroup
	)
	for _, l := range s.all {
		next <- l
	}
	close(next)
	for i := range errs {
		group.Go(func() {
			for l := range next {
				errs[i] = errors.Join(errs[i], f(l))
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// decode decodes the events of a block that lanes want.
func (s *simulation) decode(b journal.Block) (d decoded) {
	records, err := b.Records()
	if err != nil {
		return decoded{err: err}
	}
	for i := range records {
		r := &records[i]
		if r.Time.Before(s.from) || r.Time.After(s.to) {
			continue
		}
		d.records++
		fields, wanted := s.wanted[r.Stream]
		if !wanted {
			continue
		}
		o, err := r.Occurrence(fields)
		if err != nil {
			return decoded{err: err}
		}
		d.events = append(d.events, occurrence{r.Stream, o})
	}
	return d
}
