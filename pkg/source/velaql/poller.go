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

package velaql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
	"github.com/kubevela/kube-trigger/pkg/sleep"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// poller is the source of one trigger.
type poller struct {
	subscription
	key        string
	checkpoint checkpoint
	loaded     bool
	// last is the last delivered result.
	last snapshot
	// running is closed when the last started evaluation ends.
	running chan struct{}
}

// Run implements source.Source.
func (p *poller) Run(ctx context.Context, sink source.Sink) error {
	if err := p.run(ctx, sink); err != nil && ctx.Err() == nil {
		p.reportStatus(err)
		return err
	}
	return nil
}

// reportStatus calls OnStatus.
func (p *poller) reportStatus(err error) {
	if p.options.OnStatus != nil {
		p.options.OnStatus(p.key, err)
	}
}

func (p *poller) run(ctx context.Context, sink source.Sink) error {
	if err := p.load(ctx); err != nil {
		return err
	}
	for {
		result, err := p.evaluateWithTimeout(ctx)
		if err != nil {
			return err
		}
		p.reportStatus(nil)
		if err := p.deliverChange(ctx, sink, result); err != nil {
			return err
		}
		if !sleep.For(ctx, p.options.Clock, p.interval) {
			return nil
		}
	}
}

// load restores the last result from the checkpoint, once.
func (p *poller) load(ctx context.Context) error {
	if p.loaded {
		return nil
	}
	var err error
	if p.last, err = p.checkpoint.load(ctx); err != nil {
		return err
	}
	p.loaded = true
	return nil
}

// evaluation is the outcome of one evaluation.
type evaluation struct {
	result any
	err    error
}

// evaluateWithTimeout evaluates the view. It returns an error if the evaluation does not
// end within the timeout and the grace period. The evaluation continues then, because it
// cannot be interrupted, and further calls fail until it has ended.
func (p *poller) evaluateWithTimeout(ctx context.Context) (any, error) {
	if p.running != nil {
		select {
		case <-p.running:
		default:
			return nil, errors.New("the previous evaluation of the view is still running")
		}
	}
	evalCtx, cancel := context.WithTimeoutCause(ctx, p.timeout, fmt.Errorf("timed out after %s", p.timeout))
	ended, results := make(chan struct{}), make(chan evaluation, 1)
	p.running = ended
	go func() {
		defer close(ended)
		defer cancel()
		result, err := panicerr.Call(func() (any, error) { return p.view.Evaluate(evalCtx) })
		if panicked := (*panicerr.Error)(nil); errors.As(err, &panicked) {
			logr.FromContextOrDiscard(evalCtx).Info("View panicked", "trigger", p.trigger.String(), "stack", string(panicked.Stack))
			err = fmt.Errorf("the evaluation of the view: %w", err)
		}
		if err != nil && evalCtx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(evalCtx), err)
		}
		results <- evaluation{result, err}
	}()
	timer := p.options.Clock.NewTimer(p.timeout + gracePeriod)
	defer func() { timer.Stop() }()
	ctxDone := ctx.Done()
	for {
		select {
		case e := <-results:
			return e.result, e.err
		case <-ctxDone:
			ctxDone = nil
			timer.Stop()
			timer = p.options.Clock.NewTimer(gracePeriod)
		case <-timer.C():
			return nil, fmt.Errorf("the evaluation of the view exceeded its timeout of %s and is still running", p.timeout)
		}
	}
}

// deliverChange delivers an event if result differs from the last one.
func (p *poller) deliverChange(ctx context.Context, sink source.Sink, result any) error {
	text, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("result: %w", err)
	}
	before := p.last
	now := before.next(text, p.options.Clock.Now(), !p.trigger.Old.Empty())
	if now.hash == before.hash {
		return nil
	}
	kind := event.Update
	if before.hash == "" {
		kind = event.Sync
	}
	ev := event.Event{
		Source: Type, Type: kind,
		ID:   fmt.Sprintf("%s@%d-%s", p.key, now.number, now.hash[:12]),
		Key:  p.trigger.String(),
		Data: p.data(result),
		Time: p.options.Clock.Now(),
	}
	if kind == event.Sync && p.Skip(ev, source.Delivery{}) != "" {
		// The first result is saved before the next evaluation, so that a change after
		// a restart is detected.
		if err := p.checkpoint.save(ctx, now); err != nil {
			return err
		}
		p.last = now
		return nil
	}
	if old, ok := before.decode(); ok && kind == event.Update {
		ev.Old = p.trigger.Old.Select(p.data(old))
	}
	if err := sink.Deliver(ctx, ev, source.Delivery{Done: func() { p.checkpoint.saveAsync(now) }}); err != nil {
		return err
	}
	p.last = now
	return nil
}

// data returns the event's data for a result.
func (p *poller) data(result any) map[string]any {
	data := map[string]any{"result": result}
	if p.query.View != "" {
		data["view"] = p.query.View
	}
	return data
}

// snapshot is one result of a view.
type snapshot struct {
	// number increases with each change. It starts with the Unix time of the trigger's
	// first result.
	number int64
	// hash is the hash of the result's JSON. It is empty before the first result.
	hash string
	// text is the result as JSON. It is nil if it is unknown or not needed for Old.
	text []byte
}

// next returns the snapshot of a result that follows s, or s if the result is equal. keep
// keeps the text.
func (s snapshot) next(text []byte, now time.Time, keep bool) snapshot {
	next := snapshot{number: s.number + 1, hash: hashJSON(text)}
	if s.number == 0 {
		next.number = now.Unix()
	}
	if next.hash == s.hash {
		return s
	}
	if keep {
		next.text = text
	}
	return next
}
