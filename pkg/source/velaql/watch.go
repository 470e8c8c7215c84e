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
	"runtime/debug"
	"time"

	"github.com/go-logr/logr"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// poller is the source of one trigger.
type poller struct {
	subscription
	key        string
	checkpoint checkpoint
	loaded     bool
	// last is what was delivered last.
	last snapshot
	// running is closed when the evaluation ends that was last begun.
	running chan struct{}
}

// Run implements source.Source.
func (w *poller) Run(ctx context.Context, sink source.Sink) error {
	if err := w.run(ctx, sink); err != nil && ctx.Err() == nil {
		w.reportStatus(err)
		return err
	}
	return nil
}

// reportStatus says why the trigger waits; nil that it works.
func (w *poller) reportStatus(why error) {
	if w.options.OnStatus != nil {
		w.options.OnStatus(w.key, why)
	}
}

func (w *poller) run(ctx context.Context, sink source.Sink) error {
	if err := w.load(ctx); err != nil {
		return err
	}
	for {
		now, err := w.evaluateWithTimeout(ctx)
		if err != nil {
			return err
		}
		w.reportStatus(nil)
		if err := w.deliverChange(ctx, sink, now); err != nil {
			return err
		}
		timer := w.options.Clock.NewTimer(w.interval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C():
		}
	}
}

// load brings the trigger to where it stopped, once.
func (w *poller) load(ctx context.Context) error {
	if w.loaded {
		return nil
	}
	var err error
	if w.last, err = w.checkpoint.load(ctx); err != nil {
		return err
	}
	w.loaded = true
	return nil
}

// evaluation is what comes of an evaluation.
type evaluation struct {
	result any
	err    error
}

// evaluateWithTimeout evaluates the view. One that does not end is left alone: nothing can end it,
// and there is no other until it has.
func (w *poller) evaluateWithTimeout(ctx context.Context) (any, error) {
	if w.running != nil {
		select {
		case <-w.running:
		default:
			return nil, errors.New("the evaluation of the view does not end")
		}
	}
	evalCtx, cancel := context.WithTimeoutCause(ctx, w.timeout, fmt.Errorf("timed out after %s", w.timeout))
	ended, results := make(chan struct{}), make(chan evaluation, 1)
	w.running = ended
	go func() {
		defer close(ended)
		defer cancel()
		result, err := w.evaluateSafely(evalCtx)
		if err != nil && evalCtx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(evalCtx), err)
		}
		results <- evaluation{result, err}
	}()
	timer := w.options.Clock.NewTimer(w.timeout + gracePeriod)
	defer func() { timer.Stop() }()
	end := ctx.Done()
	for {
		select {
		case o := <-results:
			return o.result, o.err
		case <-end:
			end = nil
			timer.Stop()
			timer = w.options.Clock.NewTimer(gracePeriod)
		case <-timer.C():
			return nil, fmt.Errorf("the evaluation of the view takes longer than %s, and does not stop", w.timeout)
		}
	}
}

// evaluateSafely makes an error of a panic.
func (w *poller) evaluateSafely(ctx context.Context) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			logr.FromContextOrDiscard(ctx).Info("evaluation panicked", "trigger", w.trigger.String(), "stack", string(debug.Stack()))
			result, err = nil, fmt.Errorf("the evaluation of the view panicked: %T", p)
		}
	}()
	return w.view.Evaluate(ctx)
}

// deliverChange delivers result where it is another than the last.
func (w *poller) deliverChange(ctx context.Context, sink source.Sink, result any) error {
	text, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("result: %w", err)
	}
	before := w.last
	now := before.next(text, w.options.Clock.Now(), !w.trigger.Old.Empty())
	if now.hash == before.hash {
		return nil
	}
	kind := event.Update
	if before.hash == "" {
		kind = event.Sync
	}
	ev := event.Event{
		Source: Type, Type: kind,
		ID:   fmt.Sprintf("%s@%d-%s", w.key, now.number, now.hash[:12]),
		Key:  w.trigger.String(),
		Data: w.data(result),
		Time: w.options.Clock.Now(),
	}
	if kind == event.Sync && w.Skip(ev) != "" {
		// Before anything can change: a change that follows is one after a restart.
		if err := w.checkpoint.save(ctx, now); err != nil {
			return err
		}
		w.last = now
		return nil
	}
	if old, ok := before.decode(); ok && kind == event.Update {
		ev.Old = w.trigger.Old.Select(w.data(old))
	}
	if err := sink.Deliver(ctx, ev, func() { w.checkpoint.saveAsync(now) }); err != nil {
		return err
	}
	w.last = now
	return nil
}

// data returns what events hold of a result.
func (w *poller) data(result any) map[string]any {
	data := map[string]any{"result": result}
	if w.query.View != "" {
		data["view"] = w.query.View
	}
	return data
}

// snapshot is what a view has shown.
type snapshot struct {
	// number counts what was shown, from the time when the trigger began on.
	number int64
	// hash is empty before anything was.
	hash string
	// text is the result as JSON, where it is needed and known.
	text []byte
}

// next returns what is shown after s. It is s where text is what s has shown.
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
