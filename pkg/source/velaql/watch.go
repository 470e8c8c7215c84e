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

// watch is the source of one trigger.
type watch struct {
	subscription
	key    string
	saves  saves
	loaded bool
	// last is what was delivered last.
	last shown
	// running is closed when the evaluation ends that was last begun.
	running chan struct{}
}

// Run implements source.Source.
func (w *watch) Run(ctx context.Context, sink source.Sink) error {
	if err := w.run(ctx, sink); err != nil && ctx.Err() == nil {
		w.tell(err)
		return err
	}
	return nil
}

// tell says why the trigger waits; nil that it works.
func (w *watch) tell(why error) {
	if w.options.Waits != nil {
		w.options.Waits(w.key, why)
	}
}

func (w *watch) run(ctx context.Context, sink source.Sink) error {
	if err := w.load(ctx); err != nil {
		return err
	}
	for {
		now, err := w.look(ctx)
		if err != nil {
			return err
		}
		w.tell(nil)
		if err := w.compare(ctx, sink, now); err != nil {
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
func (w *watch) load(ctx context.Context) error {
	if w.loaded {
		return nil
	}
	var err error
	if w.last, err = w.saves.load(ctx); err != nil {
		return err
	}
	w.loaded = true
	return nil
}

// outcome is what comes of an evaluation.
type outcome struct {
	result any
	err    error
}

// look evaluates the view. One that does not end is left alone: nothing can end it,
// and there is no other until it has.
func (w *watch) look(ctx context.Context) (any, error) {
	if w.running != nil {
		select {
		case <-w.running:
		default:
			return nil, errors.New("the evaluation of the view does not end")
		}
	}
	limited, cancel := context.WithTimeoutCause(ctx, w.timeout, fmt.Errorf("timed out after %s", w.timeout))
	ended, found := make(chan struct{}), make(chan outcome, 1)
	w.running = ended
	go func() {
		defer close(ended)
		defer cancel()
		result, err := w.evaluate(limited)
		if err != nil && limited.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(limited), err)
		}
		found <- outcome{result, err}
	}()
	timer := w.options.Clock.NewTimer(w.timeout + overstay)
	defer func() { timer.Stop() }()
	end := ctx.Done()
	for {
		select {
		case o := <-found:
			return o.result, o.err
		case <-end:
			end = nil
			timer.Stop()
			timer = w.options.Clock.NewTimer(overstay)
		case <-timer.C():
			return nil, fmt.Errorf("the evaluation of the view takes longer than %s, and does not stop", w.timeout)
		}
	}
}

// evaluate makes an error of a panic.
func (w *watch) evaluate(ctx context.Context) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			logr.FromContextOrDiscard(ctx).Info("evaluation panicked", "trigger", w.trigger.String(), "stack", string(debug.Stack()))
			result, err = nil, fmt.Errorf("the evaluation of the view panicked: %T", p)
		}
	}()
	return w.view.Evaluate(ctx)
}

// compare delivers result where it is another than the last.
func (w *watch) compare(ctx context.Context, sink source.Sink, result any) error {
	text, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("result: %w", err)
	}
	before := w.last
	now := before.then(text, w.options.Clock.Now(), !w.trigger.Old.Empty())
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
	if kind == event.Sync && w.Wants(ev) != "" {
		// Before anything can change: a change that follows is one after a restart.
		if err := w.saves.now(ctx, now); err != nil {
			return err
		}
		w.last = now
		return nil
	}
	if old, ok := before.value(); ok && kind == event.Update {
		ev.Old = w.trigger.Old.Pick(w.data(old))
	}
	if err := sink.Deliver(ctx, ev, func() { w.saves.later(now) }); err != nil {
		return err
	}
	w.last = now
	return nil
}

// data returns what events hold of a result.
func (w *watch) data(result any) map[string]any {
	data := map[string]any{"result": result}
	if w.query.View != "" {
		data["view"] = w.query.View
	}
	return data
}

// shown is what a view has shown.
type shown struct {
	// number counts what was shown, from the time when the trigger began on.
	number int64
	// hash is empty before anything was.
	hash string
	// text is the result as JSON, where it is needed and known.
	text []byte
}

// then returns what is shown after s. It is s where text is what s has shown.
func (s shown) then(text []byte, now time.Time, keep bool) shown {
	next := shown{number: s.number + 1, hash: hashOf(text)}
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
